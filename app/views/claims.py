"""Claims: what notes on GPT-1 say, your bet, and the check: run on the chosen model, or its source."""

import time
from functools import partial

import components
import jobs
import models
import saving
import state
import streamlit as st

from gpt1viz import figures
from gpt1viz.claims import CLAIMS, Claim, Result, report, run
from gpt1viz.claims.rows import VERDICTS
from gpt1viz.claims.training import measured_pairs
from gpt1viz.text import t
from gpt1viz.training.runs import list_runs

AT_ONCE = 0.7  # seconds of checks between two drawings of the table
MARKS = {"right": "✓", "wrong": "✗", "partly": "±"}

lang, session = st.session_state.lang, st.session_state
model_id, stamp, loaded = state.chosen_model(lang)
session.setdefault("claims_settled", {})  # id -> the bet when the answer was shown, or None
session.setdefault("claims_measured", set())  # (model, stamp, id)
session.setdefault("claims_queue", [])  # ids to come
state.asked("claim", None, state.one_of(CLAIMS))


@st.cache_resource(max_entries=256, show_spinner=False)
def measured(model_id: str, stamp: float, id: str) -> Result:
    """What a check finds on a model; it runs only when this is new."""
    model, tokenizer, *_ = models.load(model_id, stamp)
    return run(id, model, tokenizer)


def found(id: str) -> Result | None:
    """What was measured on the chosen model, if it was."""
    done = CLAIMS[id].check and (model_id, stamp, id) in session.claims_measured
    return measured(model_id, stamp, id) if done else None


def settled(id: str) -> bool:
    """Whether there is nothing left to run for a row on this model."""
    return id in session.claims_settled and (
        CLAIMS[id].check is None or (model_id, stamp, id) in session.claims_measured
    )


def settle(id: str) -> None:
    """Run a row's check, and show its answer."""
    if CLAIMS[id].check:
        measured(model_id, stamp, id)
        session.claims_measured.add((model_id, stamp, id))
    session.claims_settled.setdefault(id, session.get(f"bet_{id}"))


def ask(*ids: str) -> None:
    session.update(claims_queue=[*ids], claims_asked=len(ids))
    if len(ids) == 1:
        session.claim = ids[0]


def stop() -> None:
    session.claims_queue = []


def start_over() -> None:
    session.update(claims_settled={}, claims_measured=set(), claims_queue=[], claim=None)
    session.update(dict.fromkeys((f"bet_{id}" for id in CLAIMS), None))


def choose(id: str | None) -> None:
    session.claim = id


def said(claim: Claim) -> str:
    """What was measured, or the source, after a word that says which."""
    result = found(claim.id)
    if claim.check is None:
        what, words = "source", claim.words("source", lang)
    elif result is None:
        return t("claims.again", lang)
    else:
        what = {True: "seen", False: "not_seen", None: "unfit"}[result.seen]
        words = claim.says(result, lang)
    return f"**{t(f'claims.{what}', lang)}** · {state.plain(words)}"


def answer(claim: Claim) -> None:
    """Verdict and bet, what holds, what was measured."""
    bet = session.claims_settled[claim.id]
    words = t("claims.no_bet", lang)
    if bet:
        name = t(f"claims.verdict_{bet}", lang)
        words = t("claims.won" if bet == claim.verdict else "claims.lost", lang, bet=name)
    verdict = f"{MARKS[claim.verdict]} {t(f'claims.verdict_{claim.verdict}', lang)}"
    holds = state.plain(claim.words("holds", lang))
    st.markdown(t("claims.answer", lang, verdict=verdict, bet=words, holds=holds))
    st.markdown(said(claim))


def row(claim: Claim) -> None:
    """One claim, with its bet or its answer."""
    shown, busy = claim.id in session.claims_settled, bool(session.claims_queue)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{claim.number}** · {state.plain(claim.words('claim', lang))}", width="stretch")
        if not shown:
            st.segmented_control(
                t("claims.bet", lang, n=claim.number),
                VERDICTS,
                format_func=lambda verdict: t(f"claims.verdict_{verdict}", lang),
                key=f"bet_{claim.id}",
                label_visibility="collapsed",
                persist_state="session",
            )
        if not settled(claim.id):
            label = t("claims.run" if claim.check else "claims.run_source", lang)
            st.button(label, key=f"run_{claim.id}", on_click=ask, args=(claim.id,), disabled=busy)
        elif session.claim == claim.id:
            st.button(t("claims.less", lang), key=f"less_{claim.id}", on_click=choose, args=(None,))
        else:
            st.button(t("claims.details", lang), key=f"more_{claim.id}", on_click=choose, args=(claim.id,))
    if shown:
        answer(claim)
        if session.claim == claim.id and settled(claim.id):
            details(claim)


def details(claim: Claim) -> None:
    """The drawing, the source, runs on this machine, where to go on, and the check's code."""
    result = found(claim.id)
    if result and result.drawing:
        drawing = result.drawing
        components.chart(
            getattr(figures, drawing.kind),
            *drawing.named(lang),
            **drawing.words(lang),
            key=f"claim_{claim.id}",
            title=t("claims.details_of", lang, n=claim.number),
            data=lambda: drawing.columns,
        )
        st.caption(state.plain(claim.words("caption", lang)))
    if claim.id == "auxiliary":
        pairs(lang)
    if claim.check:
        st.caption(f"{t('claims.source', lang)} · {state.plain(claim.words('source', lang))}")
    if claim.page:
        page = t(f"app.{claim.page}", lang)
        st.page_link(f"views/{claim.page}.py", label=t("claims.more_on", lang, page=page))
    if claim.code:
        components.show_code(lang, *claim.code)


def pairs(lang: str) -> None:
    """Fine-tuned runs on this machine that tell what lambda does."""
    rows = measured_pairs(list_runs(jobs.runs_folder()))
    if not rows:
        st.caption(t("claims.pairs_none", lang))
        return
    st.markdown(t("claims.pairs", lang))
    for pair in rows[:8]:
        st.caption(state.plain(t("claims.pairs_row", lang, **pair)))


def columns(settled: dict, bets: dict, results: dict) -> dict:
    """The table as it stands, for a CSV file."""
    columns = {name: [] for name in ("number", "claim", "bet", "verdict", "holds", "measured", "source")}
    for id, claim in CLAIMS.items():
        shown, result = id in settled, results[id]
        row = {
            "number": claim.number,
            "claim": claim.words("claim", lang),
            "bet": bets[id],
            "verdict": claim.verdict if shown else "",
            "holds": claim.words("holds", lang) if shown else "",
            "measured": claim.says(result, lang) if result else "",
            "source": claim.words("source", lang) if shown else "",
        }
        for name, value in row.items():
            columns[name].append(value)
    return columns


st.markdown(t("claims.intro", lang))
left = [id for id in CLAIMS if not settled(id)]
queue = session.claims_queue
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    st.button(t("claims.run_all", lang), type="primary", on_click=ask, args=left, disabled=bool(queue) or not left)
    st.button(t("app.stop", lang), on_click=stop, disabled=not queue)
    st.button(t("claims.start_over", lang), on_click=start_over, disabled=bool(queue) or not session.claims_settled)
bets = {id: bet for id, bet in session.claims_settled.items() if bet}
counts = {"settled": len(session.claims_settled), "n": len(CLAIMS)}
if bets:
    won = sum(CLAIMS[id].verdict == bet for id, bet in bets.items())
    st.markdown(t("claims.score", lang, bets=len(bets), won=won, **counts))
elif counts["settled"]:
    st.markdown(t("claims.score_none", lang, **counts))
if queue and session.claims_asked > 1:
    done = session.claims_asked - len(queue)
    words = t(
        "claims.running", lang, done=done + 1, n=session.claims_asked, claim=CLAIMS[queue[0]].words("claim", lang)
    )
    st.progress(done / session.claims_asked, state.plain(words))

every = {id: session.claims_settled.get(id) or session.get(f"bet_{id}") or "" for id in CLAIMS}
table = partial(columns, dict(session.claims_settled), every, {id: found(id) for id in CLAIMS})
with saving.drawing("claims_table", t("claims.table", lang), table, ()):
    for claim in CLAIMS.values():
        with st.container(border=True, gap="small"), components.careful(lang):
            row(claim)
state.also_link(claim=session.claim)
components.look_for("claims", lang)
components.show_code(lang, run, report)

if queue:
    session.claims_queue = []  # a check that fails ends the queue
    began = time.monotonic()
    with components.careful(lang):
        while queue and time.monotonic() < began + AT_ONCE:
            settle(queue.pop(0))
        session.claims_queue = queue
        st.rerun()
