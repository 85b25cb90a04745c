"""Inside, the tab Lens: what each layer would predict, over the text and at the focus."""

from html import escape

import components
import computing
import inside_edits
import numpy as np
import panels
import saving
import state
import streamlit as st
from state import Study

from gpt1viz.analysis.ablation import heads_off
from gpt1viz.analysis.lens import Lens, decode, lens
from gpt1viz.figures import numbers
from gpt1viz.figures.inside import lens_map
from gpt1viz.text import t
from gpt1viz.views import shown_window

CODE = (lens, decode)
NARROW = 9  # positions that have room for their tokens on a narrow page
STYLE = "<style>@media (max-width: 1150px) { .st-key-drawing_lens .annotation { display: none } }</style>"
COLOURS = ("probability", "final", "entropy")


def show(study: Study, lang: str) -> None:
    config, plain = study.loaded.model.config, study.explanation
    part = shown_window(len(plain.tokens), study.focus, None)
    off = inside_edits.heads(st.session_state.edits, config)
    found = _lens(study, lang, part, off)
    st.header(t("inside.lens_title", lang), anchor=False)
    by = state.choice("lens_by", t("inside.cells_by", lang), COLOURS, lambda name: t(f"inside.by_{name}", lang))
    if found is None:
        return
    names = [stage_name(stage, lang) for stage in found.stages]
    tokens = plain.tokens[part]
    words = _words(study, found)
    values = {"probability": found.probability[:, :, 0], "final": found.of_final, "entropy": found.entropy}[by]
    hover = _hover(study, found, names, words, lang)
    if len(tokens) > NARROW:
        st.html(STYLE)
    components.chart(
        lens_map,
        tokens,
        names,
        values,
        words[:, :, 0].tolist(),
        hover,
        kind="surprisal" if by == "entropy" else "probability",
        limit=float(np.log2(config.n_vocab)) if by == "entropy" else None,
        focus=study.focus - part.start,
        column_title=t("inside.lens_columns", lang),
        key="lens",
        title=t("inside.lens_title", lang),
        data=lambda: _columns(study, found, names, words),
    )
    st.caption(t("inside.lens_caption", lang, rows=len(names)))
    if len(plain.tokens) > len(tokens):
        st.caption(t("inside.window", lang, first=part.start, last=part.stop - 1, n=len(plain.tokens)))
    if off:
        st.caption(t("inside.lens_edits_one" if len(off) == 1 else "inside.lens_edits", lang, heads=len(off)))
    if config.norm == "post":
        st.caption(t("app.adds_lens", lang))
    _at_focus(study, found, names, words, study.focus - part.start, lang)


def stage_name(stage: tuple[int, str], lang: str) -> str:
    """A place in the model as people read it."""
    layer, part = stage
    return t("inside.at_embedding", lang) if layer < 0 else f"L{layer}·{t(f'inside.at_{part}', lang)}"


def _lens(study: Study, lang: str, part: slice, off: tuple[tuple[int, int], ...]) -> Lens | None:
    """The lens over these positions, kept for as long as there is room."""
    plain, model = study.explanation, study.loaded.model
    config, n = model.config, part.stop - part.start
    read = range(part.start, part.stop)
    decoding = 2.0 * (2 * config.n_layer + 1) * n * config.n_embd * config.n_vocab
    return computing.computed(
        "lens",
        (study.model_id, study.stamp, plain.text, part.start, part.stop, off),
        lambda progress: lens(model, plain.ids, positions=read, edits=heads_off(off), progress=progress),
        decoding + config.n_layer * computing.passes(config, len(plain.tokens)),
        lang,
    )


def _words(study: Study, found: Lens) -> np.ndarray:
    """The K best tokens of every cell as people see them, (R, P, K) strings."""
    different, places = np.unique(found.ids, return_inverse=True)
    names = np.array(state.entries(study.loaded.tokenizer, different), dtype=object)
    return names[places].reshape(found.ids.shape)


def _hover(study: Study, found: Lens, names: list[str], words: np.ndarray, lang: str) -> list[list[str]]:
    """What each cell says: its place and token, the best three with their probabilities, the entropy."""
    rows = []
    for row, name in enumerate(names):
        cells = []
        for at, position in enumerate(found.positions):
            best = zip(words[row, at, :3], found.probability[row, at, :3], strict=True)
            tops = [f"{token}  {numbers.percent(float(p))}" for token, p in best]
            entropy = numbers.bits(float(found.entropy[row, at]), lang)
            here = f"{name} · {state.token_text(study, int(position))} ({position})"
            cells.append("\n".join([here, *tops, t("inside.entropy_is", lang, bits=entropy)]))
        rows.append(cells)
    return rows


def _at_focus(study: Study, found: Lens, names: list[str], words: np.ndarray, at: int, lang: str) -> None:
    """The guesses after the focus token, place by place, the output on top."""
    here = state.plain(state.token_at(study, study.focus))
    st.header(t("inside.lens_focus", lang), anchor=False)
    choice = state.entries(study.loaded.tokenizer, [int(found.final[at])])[0]
    st.caption(t("inside.lens_focus_caption", lang, token=here, choice=state.plain(choice)))
    body = ""
    for row in reversed(range(len(names))):
        best = zip(words[row, at, :3], found.probability[row, at, :3], strict=True)
        body += f"<tr><th class='t'>{names[row]}</th>"
        body += "".join(f"<td class='t'>{escape(token)}</td><td>{numbers.percent(float(p))}</td>" for token, p in best)
        body += f"<td>{numbers.percent(float(found.of_final[row, at]))}</td>"
        body += f"<td>{numbers.bits(float(found.entropy[row, at]), lang)}</td></tr>"
    places = "".join(f"<th class='t' colspan='2'>{t('inside.guess', lang, n=n)}</th>" for n in (1, 2, 3))
    head = f"<tr><th class='t'>{t('inside.place', lang)}</th>{places}<th>{escape(choice)}</th>"
    head += f"<th>{t('app.by_entropy', lang)}</th></tr>"
    with saving.drawing(
        "lens_focus", t("inside.lens_focus", lang), lambda: _focus_columns(found, names, words, at), ()
    ):
        st.html(panels.page(f"<table>{head}{body}</table>", components.dark()))


def _focus_columns(found: Lens, names: list[str], words: np.ndarray, at: int) -> saving.Columns:
    row, k = np.indices(found.ids[:, at].shape)
    columns = {"place": np.array(names, dtype=object)[row], "rank": k + 1, "token": words[:, at]}
    columns |= {"id": found.ids[:, at], "probability": found.probability[:, at]}
    return {name: values.ravel() for name, values in columns.items()}


def _columns(study: Study, found: Lens, names: list[str], words: np.ndarray) -> saving.Columns:
    row, at = np.indices(found.entropy.shape)
    read = np.array([state.token_text(study, int(position)) for position in found.positions], dtype=object)
    columns = {"place": np.array(names, dtype=object)[row], "position": found.positions[at], "read": read[at]}
    columns |= {"token": words[:, :, 0], "id": found.ids[:, :, 0], "probability": found.probability[:, :, 0]}
    columns |= {"probability_of_final": found.of_final, "entropy_bits": found.entropy}
    return {name: values.ravel() for name, values in columns.items()}
