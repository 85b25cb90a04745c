"""The residual stream of both sides of the page Compare: how long it is, block by block."""

from dataclasses import dataclass

import components
import computing
import numpy as np
import parts
import side_by_side
import streamlit as st
from state import Study

from gpt1viz.figures import heatmap, lines, numbers
from gpt1viz.text import t

ROWS = ("stream", "attention", "mlp")


@dataclass(frozen=True)
class Lengths:
    """Mean lengths over A's text and over B's, (3, L + 1) each; see `lengths`."""

    a: np.ndarray
    b: np.ndarray


def lengths(study: Study) -> np.ndarray:
    """Of the stream, of what attention adds and of what the MLP adds, (3, L + 1); at L nothing is added any more."""
    found = parts.lengths(study.model_id, study.stamp, study.explanation.text)
    added = np.pad([found.attention.mean(1), found.mlp.mean(1)], ((0, 0), (0, 1)), constant_values=np.nan)
    return np.vstack([found.stream, added])


def show(a: Study, b: Study) -> None:
    """Both lines, and the difference where the layers pair up; a pass of each text, which may take long."""

    def compute(progress: computing.Progress) -> Lengths:
        ours = lengths(a)
        progress(0.5)
        return Lengths(ours, lengths(b))

    key, operations = (), 0.0
    for study in (a, b):
        key += (study.model_id, study.stamp, study.explanation.text)
        config = study.loaded.model.config
        operations += config.n_layer * computing.passes(config, len(study.explanation.tokens))
    found = computing.computed("compare_lengths", key, compute, operations, a.lang)
    if found is None:
        return
    left, right = side_by_side.two("compare_stream")
    with left:
        _lines(found, a.lang)
    with right:
        if found.a.shape == found.b.shape:
            _difference(found.b - found.a, a.lang)
        else:
            layers = {"a": found.a.shape[1] - 1, "b": found.b.shape[1] - 1}
            st.caption(t("compare.other_depth", a.lang, **layers))


def _lines(found: Lengths, lang: str) -> None:
    depth = max(found.a.shape[1], found.b.shape[1])
    streams = {
        side: np.pad(of_one[0], (0, depth - of_one.shape[1]), constant_values=np.nan)
        for side, of_one in (("A", found.a), ("B", found.b))
    }
    components.chart(
        lines,
        [*range(depth)],
        streams,
        roles={"A": "residual", "B": "extract"},
        x_title=t("compare.depth", lang),
        y_title=t("compare.length", lang),
        key="compare_stream_lines",
        title=t("compare.stream", lang),
        data=lambda: {"depth": range(depth)} | {f"length_{side.lower()}": values for side, values in streams.items()},
    )
    st.caption(t("compare.stream_caption", lang))


def _difference(change: np.ndarray, lang: str) -> None:
    """B's lengths less A's (3, L + 1), a row for each layer."""
    changes = change[:, :-1].T  # (L, 3)
    components.chart(
        heatmap,
        changes,
        [f"L{i}" for i in range(len(changes))],
        [t(f"compare.part_{name}", lang) for name in ROWS],
        texts=[[numbers.score(float(value)) for value in row] for row in changes],
        hover=t("compare.longer", lang),
        key="compare_stream_change",
        title=t("compare.stream_change", lang),
        data=lambda: {"layer": range(len(changes))} | {name: changes[:, i] for i, name in enumerate(ROWS)},
    )
    st.caption(t("compare.stream_change_caption", lang))
