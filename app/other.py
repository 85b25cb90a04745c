"""The second side of the page Compare: another model, another text, or both."""

import jobs
import models
import state
import streamlit as st

from gpt1viz import checkpoints
from gpt1viz.errors import GPT1VizError
from gpt1viz.text import t

SAME = ""  # the model of the sidebar, or its text
TEXT = '"Come in," said the king to the fox, and the'  # one word away from the first example


def offered(model_id: str, wanted: str, lang: str) -> dict[str, str]:
    """Names by id of what B can be: what the sidebar offers, and every step of the run that A is of."""
    names = {SAME: t("compare.same_model", lang)} | models.offered(wanted, lang)
    run = model_id.removeprefix(models.RUNS).partition("@")[0]
    if model_id.startswith(models.RUNS) and jobs.is_name(run):
        for step in checkpoints.run_steps(jobs.runs_folder() / run):
            names[models.run_id(run, step)] = t("runs.model_step", lang, run=run, step=step)
    return names


def choose(a: state.Study) -> state.Study:
    """The boxes, and what B makes of its text; its focus is still A's.

    Raises:
        NothingToShow: B cannot be shown; a sentence has said why.
    """
    lang, session = a.lang, st.session_state
    wanted = session.setdefault("model2", st.query_params.get("model2", SAME))
    usual = TEXT if wanted == SAME else SAME
    session.setdefault("text2", st.query_params.get("text2", usual)[: state.MOST_CHARACTERS])
    entries = offered(a.model_id, wanted, lang)
    if wanted not in entries:
        name = t("compare.same_model", lang)
        st.warning(t("app.model_missing", lang, model=state.plain(wanted[:60]), other=name))
        session.model2 = SAME
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kept = {"persist_state": "session"}
        chosen = st.selectbox(
            t("compare.model", lang),
            [*entries],
            format_func=entries.__getitem__,
            key="model2",
            on_change=_other_model,
            width=280,
            **kept,
        )
        text = st.text_input(
            t("compare.text", lang),
            key="text2",
            max_chars=state.MOST_CHARACTERS,
            live="300ms",
            placeholder=t("compare.same_text", lang),
            **kept,
        )
        st.button(t("compare.swap", lang), on_click=_swap, args=(a.model_id, a.explanation.text), key="swap")
    short = len(text) <= state.LINK_CHARACTERS and text != (TEXT if chosen == SAME else SAME)
    state.also_link(model2=chosen or None, text2=text if short else None)
    model_id = chosen or a.model_id
    text = text if text.strip() else a.explanation.text
    try:
        stamp = models.stamp(model_id)
        loaded = state.load(model_id, lang)
        with st.spinner(t("inside.working", lang)):
            explanation = models.explained(model_id, stamp, text)
    except GPT1VizError as error:
        fault = state.plain(error.message(lang))
        st.info(t("app.no_tokens_in_text", lang) if error.code == "no_tokens" else fault)
        raise state.NothingToShow from error
    n = len(explanation.tokens)
    if n < explanation.n_typed:
        st.caption("B · " + t("app.cut", lang, n=n, m=explanation.n_typed))
    if unknown := sum(piece.unknown for piece in explanation.tokens):
        st.caption("B · " + t("app.unknown_one" if unknown == 1 else "app.unknown", lang, n=unknown))
    return state.Study(lang, model_id, stamp, loaded, explanation, n - 1)


def _other_model() -> None:
    """Two models are first compared on one text."""
    session = st.session_state
    if session.model2 != SAME and session.text2 == TEXT:
        session.text2 = SAME
    elif session.model2 == SAME and session.text2 == SAME:
        session.text2 = TEXT


def _swap(model_id: str, text: str) -> None:
    session = st.session_state
    if session.model2 != SAME:
        session.model, session.model2 = session.model2, model_id
    if session.text2.strip():
        session.text, session.text2 = session.text2, text
