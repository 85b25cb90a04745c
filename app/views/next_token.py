"""Next token: from logits to the draw, column by column; writing on; surprisal along the text."""

import components
import numpy as np
import panels
import state
import streamlit as st

from gpt1viz.figures import next_tokens, numbers, surprisal, unit_bar
from gpt1viz.generate import Step, generate
from gpt1viz.sampling import Distribution, Sampling, distribution
from gpt1viz.text import t

SHOWN = 8  # tokens in the columns
MOST_STEPS = 200  # of one writing session

lang = st.session_state.lang
study = state.study()

plain, (model, tokenizer, *_) = study.explanation, study.loaded
components.token_strip(plain, lang, components.chosen_colour("surprisal"), study.focus)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    components.colour_by(lang, "surprisal", components.KINDS[:-1])
    state.index_box("pos", t("app.position", lang), len(plain.tokens))

key = (study.model_id, study.stamp, plain.text)
steps = state.written(study)
ids = list(steps[-1].ids) if steps else state.typed_ids(study)

st.header(t("app.distribution", lang), anchor=False)
controls = st.columns(4, gap="medium", vertical_alignment="bottom")


def setting(column, name: str, low, high, step, **options):
    """A slider whose value the link carries."""
    state.asked(name, state.SETTINGS[name], state.between(low, high, type(step)))
    label = t(f"app.{name}", lang)
    return column.slider(label, low, high, step=step, key=name, persist_state="session", **options)


temperature = setting(controls[0], "temperature", 0.1, 2.0, 0.05)
top_k = setting(controls[1], "top_k", 0, 100, 1, help=t("app.top_k_help", lang))
top_p = setting(controls[2], "top_p", 0.05, 1.0, 0.05, help=t("app.top_p_help", lang))
state.asked("greedy", False, state.one_of((True, False)))
greedy = controls[3].toggle(
    t("app.greedy", lang), key="greedy", persist_state="session", help=t("app.greedy_help", lang)
)
sampling = Sampling(temperature, top_k or None, None if top_p == 1 else top_p, greedy)


def table(options: Distribution, greedy: bool) -> str:
    """The eight most probable tokens at every stage, and the rest as one row."""
    rows = []
    for place in range(min(SHOWN, len(options.ids))):
        low, high = options.slice(place)
        filtered = "out_greedy" if greedy else "out_p" if options.keep_k[place] else "out_k"
        kept = "kept" if options.keep_p[place] else filtered
        rows.append(
            {
                "logit": float(options.logits[place]),
                "tempered": float(options.tempered[place]),
                "before": float(options.unfiltered[place]),
                "kept": kept,
                "after": float(options.probabilities[place]),
                "low": low,
                "high": high,
            }
        )
    others = {
        "n": len(options.ids) - len(rows),
        "before": float(options.unfiltered[SHOWN:].sum()),
        "after": float(options.probabilities[SHOWN:].sum()),
        "low": rows[-1]["high"],
    }
    names = state.entries(tokenizer, options.ids[: len(rows)].tolist())
    return panels.page(panels.stages(names, rows, others, lang), components.dark())


def write_one(options: Distribution, u: float | None) -> None:
    token = int(options.ids[0 if u is None else options.pick(u)])
    window = max(0, len(ids) - model.config.n_ctx)
    steps.append(Step(token, (*ids, token), window, logits, sampling, u, tokenizer))
    st.session_state.step = None


def write_many() -> None:
    st.session_state.update(to_write=20, step=None)


def stop() -> None:
    st.session_state.to_write = 0


def undo() -> None:
    if steps:
        steps.pop()
    st.session_state.step = None


def clear() -> None:
    st.session_state.update(steps=[], step=None)


def roll() -> None:
    st.session_state.seed += 1


logits = state.next_logits(study, tuple(ids[-model.config.n_ctx :]))
options = distribution(logits, sampling)
state.asked("seed", 0, state.between(0, state.MOST_SEED))
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    seed = st.number_input(
        t("app.seed", lang), 0, state.MOST_SEED, step=1, key="seed", persist_state="session", disabled=greedy, width=140
    )
    st.button(t("app.roll", lang), on_click=roll, disabled=greedy or seed == state.MOST_SEED)
    turn = (key, len(steps), seed)
    if st.session_state.get("turn") != turn:
        st.session_state.update(turn=turn, u=int(1000 * state.first_draw(seed + len(steps))) / 1000)
    held = {"key": "u", "persist_state": "session", "disabled": greedy}
    u = st.slider(t("app.draw", lang), 0.0, 0.999, step=0.001, format="%.3f", **held)
chosen = 0 if greedy else options.pick(u)
name = state.entries(tokenizer, [int(options.ids[chosen])])[0]

shown = int(min(len(options.ids), 40))
bar = state.entries(tokenizer, options.ids[:shown].tolist())
components.chart(
    unit_bar,
    bar,
    options.edges.numpy(),
    None if greedy else u,
    key="unit_bar",
    title=t("saving.unit_bar", lang),
    data=lambda: state.slices(tokenizer, options),
)
if greedy:
    st.markdown(state.plain(t("app.takes", lang, token=name)))
elif chosen >= shown:
    st.markdown(state.plain(t("app.falls", lang, u=f"{u:.3f}", token=name)))
st.caption(t("app.same_logits", lang))
st.html(table(options, greedy))
context = tokenizer.decode(ids[-6:])
st.caption(t("app.columns_caption", lang, context=state.plain(f"… {context}" if len(ids) > 6 else context)))
components.look_for("next", lang)

st.header(t("app.written", lang), anchor=False)
writing = st.session_state.get("to_write", 0)
full = len(steps) >= MOST_STEPS
with st.container(horizontal=True):
    blocked = full or bool(writing)
    choice = (options, None if greedy else u)
    st.button(t("app.write_one", lang), type="primary", on_click=write_one, args=choice, disabled=blocked)
    st.button(t("app.write_many", lang), on_click=write_many, disabled=blocked)
    st.button(t("app.stop", lang), on_click=stop, disabled=not writing)
    st.button(t("app.undo", lang), on_click=undo, disabled=not steps)
    st.button(t("app.clear", lang), on_click=clear, disabled=not steps)

page = st.empty()
if writing:
    settings = {"temperature": temperature, "top_k": top_k or None, "top_p": sampling.top_p, "greedy": greedy}
    for step in generate(model, tokenizer, ids, writing, seed=seed + len(steps), **settings):
        steps.append(step)
        st.session_state.to_write -= 1
        page.html(panels.page(panels.running(step.text), components.dark()))
        if len(steps) >= MOST_STEPS:
            break
    st.session_state.to_write = 0
    st.rerun()
if not steps:
    page.caption(t("app.written_empty", lang))
else:
    page.html(panels.page(panels.running(steps[-1].text), components.dark()))
    if full:
        st.caption(t("app.written_full", lang, n=MOST_STEPS))
    if (window := steps[-1].window_start) > 0:
        st.caption(t("app.window_slid", lang, n_ctx=model.config.n_ctx, start=window))
    drawn = np.array([state.drawn_with(step) for step in steps], dtype=np.float32)
    picked = st.session_state.step
    components.written_strip(tokenizer.pieces([step.id for step in steps]), drawn, lang, picked)
    st.caption(t("app.written_caption", lang))
    if picked is not None and picked < len(steps):
        step = steps[picked]
        there = state.entries(tokenizer, [step.id])[0]
        st.markdown(f"**{t('app.alternatives', lang, token=state.plain(there))}**")
        which = "alternatives_greedy" if step.u is None else "alternatives_caption"
        st.caption(t(f"app.{which}", lang, n=picked, u="" if step.u is None else f"{step.u:.3f}"))
        st.html(table(step.distribution(), step.u is None))

st.header(t("app.surprisal_title", lang), anchor=False)
components.chart(
    surprisal,
    plain.tokens,
    plain.surprisal,
    plain.entropy,
    key="surprisal",
    title=t("saving.surprisal", lang),
    data=lambda: {
        "token": [piece.text for piece in plain.tokens],
        "surprisal_bits": plain.surprisal,
        "entropy_bits": plain.entropy,
    },
)
st.caption(t("app.surprisal_caption", lang))
st.markdown(f"**{t('app.expected_title', lang)}**")
if study.focus == 0:
    st.caption(t("app.expected_first", lang))
else:
    before = study.focus - 1
    came = {"p": numbers.percent(float(plain.probability[study.focus])), "rank": int(plain.rank[study.focus])}
    st.caption(t("app.expected_caption", lang, token=state.plain(state.token_text(study, study.focus)), **came))
    expected = state.entries(tokenizer, plain.next_ids[before])
    components.chart(
        next_tokens,
        expected,
        plain.next_probability[before],
        chosen=int(plain.rank[study.focus]) - 1,
        key="expected",
        title=t("saving.expected", lang),
        data=lambda: {"token": expected, "probability": plain.next_probability[before]},
    )
components.show_code(lang, distribution, Distribution.pick, generate)
