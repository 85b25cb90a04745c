"""The panel of the page Block that sets post-LN beside pre-LN: the order of steps, lengths and gradients."""

from dataclasses import dataclass

import block_drawing
import block_panels
import components
import computing
import jobs
import models
import numpy as np
import state
import streamlit as st

from gpt1viz.analysis.contributions import NORMS, at_start, stream_lengths
from gpt1viz.config import GPT1Config
from gpt1viz.errors import GPT1VizError
from gpt1viz.text import strings, t
from gpt1viz.training.runs import read_run


@dataclass(frozen=True)
class Starts:
    """Lengths of the stream (L + 1,) and of the blocks' gradients (L,), in new models of both norms."""

    post_stream: np.ndarray
    pre_stream: np.ndarray
    post_gradients: np.ndarray
    pre_gradients: np.ndarray


def starts(config: GPT1Config, ids: np.ndarray, progress: computing.Progress) -> Starts:
    """Two new models of a shape from the same weights, one of each norm."""
    found = {}
    for i, norm in enumerate(NORMS):
        progress(i / 2)
        found[norm] = at_start(config, ids, norm)
    post, pre = found["post"], found["pre"]
    return Starts(post.stream, pre.stream, post.gradients, pre.gradients)


@st.cache_data(max_entries=32, show_spinner=False)
def trained_stream(model_id: str, stamp: float) -> np.ndarray:
    """Lengths of the stream of a trained model on the example, (L + 1,)."""
    return stream_lengths(models.load(model_id, stamp).model, example_ids(model_id, stamp))


def example_ids(model_id: str, stamp: float) -> np.ndarray:
    """The first example as a model reads it: the same text for all that is compared."""
    model, tokenizer, *_ = models.load(model_id, stamp)
    return np.array(tokenizer.encode(strings("examples", "en")["rabbit"])[: model.config.n_ctx])


def others(norm: str) -> list[str]:
    """Trained models with this norm: runs, and for post-LN the bundled model."""
    found = [] if norm == "pre" else [state.BUNDLED]
    for name in jobs.with_checkpoints():
        try:
            config = read_run(jobs.runs_folder() / name).config
        except GPT1VizError:
            continue
        if config is not None and config.norm == norm:
            found.append(models.run_id(name))
    return found


def choose_other(norm: str, lang: str) -> str | None:
    """The box that puts a trained model of the other norm beside this one."""
    options = others(norm)
    if not options:
        st.caption(t(f"block.train_{norm}", lang, switches=t("train.switches", lang)))
        return None
    state.asked("beside", "", state.one_of(["", *options]))
    if st.session_state.beside not in ("", *options):
        st.session_state.beside = ""
    chosen = st.selectbox(
        t(f"block.beside_{norm}", lang),
        ["", *options],
        format_func=lambda id: id or t("block.beside_none", lang),
        key="beside",
        persist_state="session",
        width=320,
    )
    state.also_link(beside=chosen or None)
    return chosen or None


def side_by_side(study: state.Study) -> None:
    """Both orders drawn, and the lengths and gradients that go with them."""
    lang, config, dark = study.lang, study.loaded.model.config, components.dark()
    for norm in NORMS:
        st.markdown(t(f"block.order_{norm}", lang))
        block_drawing.show(norm, {}, dark, lang)
    other = choose_other("pre" if config.norm == "post" else "post", lang)
    source = (study.model_id, study.stamp)
    ids = example_ids(*source)
    found = computing.computed(
        "starts",
        source,
        lambda progress: starts(config, ids, progress),
        2 * (200 * config.n_params + 3 * config.n_layer * computing.passes(config, len(ids))),
        lang,
        ask=t("block.starts_ask", lang),
    )
    streams = {t(f"block.trained_{config.norm}", lang): trained_stream(*source)}
    if other:
        streams[other] = trained_stream(other, models.stamp(other))
    roles = dict(zip(streams, ("ink", "residual"), strict=False))
    if found is not None:
        new = {norm: t(f"block.start_{norm}", lang) for norm in NORMS}
        streams |= {new["post"]: found.post_stream, new["pre"]: found.pre_stream}
        roles |= {new["post"]: "attention", new["pre"]: "extract"}
    left, right = st.columns(2, gap="medium")
    with left:
        _lines(streams, roles, "stream", lang)
    with right:
        if found is not None:
            gradients = {new["post"]: found.post_gradients, new["pre"]: found.pre_gradients}
            _lines(gradients, roles, "gradients", lang)
    st.caption(t("block.norms_caption", lang))


def _lines(shown: dict[str, np.ndarray], roles: dict[str, str], what: str, lang: str) -> None:
    """A line a model over the layers; shorter models end earlier."""
    n = max(map(len, shown.values()))
    padded = {name: np.append(values, np.full(n - len(values), np.nan)) for name, values in shown.items()}
    st.markdown(t(f"block.title_{what}", lang))
    components.chart(
        block_panels.layer_lines,
        np.arange(n),
        padded,
        roles={name: roles[name] for name in padded},
        x_title=t(f"block.x_{what}", lang),
        y_title=t("block.length", lang),
        key=f"block_{what}",
        title=t(f"block.drawn_{what}", lang),
        data=lambda: {"layer": np.arange(n)} | padded,
    )
