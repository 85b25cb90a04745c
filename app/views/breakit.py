"""Break it: one part is taken out or replaced, a tiny model is trained anew, and the two are compared."""

from functools import partial

import components
import jobs
import live
import models
import numpy as np
import pair_results as results
import pairs
import panels
import saving
import side_by_side
import state
import streamlit as st

from gpt1viz.analysis import broken
from gpt1viz.errors import GPT1VizError
from gpt1viz.figures import curves, head_stages, next_tokens
from gpt1viz.figures.numbers import score
from gpt1viz.model import MLP, Block, attend, causal_mask, sinusoids
from gpt1viz.text import t
from gpt1viz.training import breakit, schedules

lang = st.session_state.lang
BROKEN = [name for name, variant in breakit.VARIANTS.items() if variant.twin]
MARKS = {"done": "●", "running": "◐", "preparing": "◐", "waiting": "◔", "stopped": "◐", "failed": "◐", "missing": "○"}
CODE = {
    "no-mask": (causal_mask, broken.token_losses),
    "no-scaling": (attend, broken.attention),
    "no-positions": (broken.shuffled, broken.end_losses),
    "no-warmup": (schedules.pretraining, schedules.warmup_share),
    "no-warmup-high-rate": (schedules.pretraining, schedules.warmup_share),
    "no-warmup-paper-rate": (schedules.pretraining, schedules.warmup_share),
    "relu": (MLP,),
    "pre-ln": (Block,),
    "sinusoids": (sinusoids,),
}
GOING = ("running", "preparing", "waiting")
TOP = 5


def name_of(variant: str) -> str:
    return t(f"breakit.{variant.replace('-', '_')}", lang)


def words(variant: str, part: str, **numbers) -> str:
    return t(f"breakit.{variant.replace('-', '_')}_{part}", lang, **numbers)


def choose() -> str:
    """One of the broken models: a full mark where it has been trained, a hollow one where it has not."""
    state.asked("broken", BROKEN[0], state.one_of(BROKEN))
    states = {variant: pairs.state(variant) for variant in BROKEN}
    chosen = st.segmented_control(
        t("breakit.choose", lang),
        BROKEN,
        format_func=lambda variant: f"{MARKS[states[variant]]} {name_of(variant)}",
        required=True,
        wrap=True,
        key="broken",
        persist_state="session",
    )
    st.caption(t("breakit.marks", lang))
    state.also_link(broken=chosen)
    return chosen


# ---- training


def others(pair: tuple[str, str]) -> None:
    """What is being trained besides this pair, a button that ends it, and marks that follow."""
    states = {variant: pairs.state(variant) for variant in breakit.VARIANTS if variant not in pair}
    going = [variant for variant, now in states.items() if now in GOING]
    if going:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(t("breakit.others", lang, names=", ".join(map(name_of, going))), width="content")
            label, arguments = t("breakit.stop_others", lang), (pairs.queue().stop, going)
            st.button(label, key="stop_others", on_click=live.acts, args=arguments, disabled=jobs.read_only())
        st.fragment(follow, run_every=2)(states)


def follow(seen: dict[str, str]) -> None:
    """Asks for the whole page when one of the others begins or ends."""
    if {variant: pairs.state(variant) for variant in seen} != seen:
        st.rerun()


def training(pair: tuple[str, str]) -> None:
    """What is missing of the pair and the buttons for it; while one trains, how far it is."""
    states = {variant: pairs.state(variant) for variant in pair}
    buttons(pair, states)
    for variant in pair:
        if fault := pairs.fault(variant, lang):
            st.error(t("train.failed_before", lang, name=state.plain(name_of(variant)), fault=state.plain(fault)))
        broke_off(variant)
    going = any(states[variant] in GOING for variant in pair)
    if going:
        in_turn = jobs.max_runs() == 1 and all(states[variant] != "done" for variant in pair)
        st.caption(t("breakit.going" if in_turn else "train.close_tab", lang))
    st.fragment(progress, run_every=1 if going else None)(pair, states)


def broke_off(variant: str) -> None:
    run = pairs.run_of(variant)
    if run and (fault := pairs.broke_off(run, lang)):
        st.error(f"**{state.plain(name_of(variant))}**  \n{state.plain(fault)}")


def buttons(pair: tuple[str, str], states: dict[str, str]) -> None:
    locked = jobs.read_only()
    if locked:
        st.info(t("errors.app_read_only", lang))
    idle = [variant for variant in pair if states[variant] in ("missing", "stopped", "failed")]
    others = [v for v in breakit.VARIANTS if v not in pair and pairs.state(v) in ("missing", "stopped", "failed")]
    with st.container(horizontal=True, gap="small"):
        if any(states[variant] in GOING for variant in pair):
            label = t("breakit.stop", lang)
            st.button(
                label, key="stop", type="primary", on_click=live.acts, args=(pairs.queue().stop, pair), disabled=locked
            )
        elif idle:
            again = all(states[variant] in ("stopped", "failed") for variant in idle)
            what = "resume" if again else "train_two" if len(idle) == 2 else "train_one"
            label = t(f"breakit.{what}", lang, time=about(len(idle)), name=name_of(idle[0]))
            arguments = (pairs.queue().ask, idle, lang)
            st.button(label, key="train", type="primary", on_click=live.acts, args=arguments, disabled=locked)
        if idle and others:
            everything = [v for v in breakit.VARIANTS if v in idle or v in others]
            label = t("breakit.train_all", lang, n=len(everything), time=about(len(everything)))
            st.button(
                label, key="train_all", on_click=live.acts, args=(pairs.queue().ask, everything, lang), disabled=locked
            )


def about(n: int) -> str:
    seconds = n * pairs.seconds()
    return live.duration(seconds, lang) if seconds < 120 else t("breakit.minutes", lang, m=round(seconds / 60))


def progress(pair: tuple[str, str], seen: dict[str, str]) -> None:
    """A bar for each of the two and the curves so far; asks for the whole page when a state changes."""
    if {variant: pairs.state(variant) for variant in pair} != seen:
        st.rerun()
    drawn = {}
    for variant in pair:
        run = pairs.run_of(variant)
        done = run.progress if run else 0.0
        st.progress(done, t(f"breakit.is_{seen[variant]}", lang, name=name_of(variant), done=f"{done:.0%}"))
        if run and (found := live.line(run)).train:
            drawn[name_of(variant)] = found.train
    if "waiting" in seen.values() and (busy := [name for name in jobs.going_on() if jobs.is_name(name)]):
        most, names = jobs.max_runs(), state.plain(", ".join(busy))
        st.caption(t("breakit.waits", lang, most=most, names=names))
    if drawn:
        results.live_curves(drawn, pairs.steps(), lang, components.dark())


# ---- the two side by side


def compared(pair: tuple[str, str]) -> None:
    names = [name_of(variant) for variant in pair]
    runs = [pairs.run_of(variant) for variant in pair]
    for variant in pair:
        broke_off(variant)
    with components.careful(lang):
        with st.spinner(t("breakit.measuring", lang)):
            sides = [results.side(run.name, models.stamp(models.run_id(run.name))) for run in runs]
        if runs[0].settings["text"]["digest"] != runs[1].settings["text"]["digest"]:
            st.warning(t("breakit.other_vocabulary", lang))
        st.header(t("breakit.measured", lang), anchor=False)
        st.markdown(words(pair[1], "measured", **results.in_words(*sides)))
        st.html(panels.page(results.table(names, sides, lang), components.dark()))
        st.caption(t("breakit.table_caption", lang, n=len(sides[0].measured.own), early=sides[0].early))
        st.caption(t("breakit.one_seed", lang, seed=runs[0].settings["seed"]))
    with components.careful(lang):
        draw_curves(names, runs)
    with components.careful(lang):
        st.header(t("breakit.writes", lang), anchor=False)
        for column, name, run in zip(side_by_side.two("samples"), names, runs, strict=True):
            with column:
                st.caption(name)
                live.sample(run, lang)
        st.caption(t("breakit.writes_caption", lang))
    with components.careful(lang):
        looks(names, runs, results.sharpest(sides[1]))


def everything() -> None:
    """The difference that each trained pair comes to; the others are hollow."""
    st.header(t("breakit.all", lang), anchor=False)
    if not st.toggle(t("breakit.all_show", lang), key="all_pairs", persist_state="session"):
        return
    found, bar = {}, st.progress(0.0)
    for n, variant in enumerate(BROKEN):
        bar.progress(n / len(BROKEN), name_of(variant))
        runs = [pairs.run_of(name) for name in (breakit.VARIANTS[variant].twin, variant)]
        if all(run and pairs.is_done(run) for run in runs):
            intact, broken_one = (results.side(run.name, models.stamp(models.run_id(run.name))) for run in runs)
            found[variant] = results.difference(intact.measured.left_to_right, broken_one.measured.left_to_right)
    bar.empty()
    if not found:
        st.info(t("breakit.all_none", lang))
        return
    nothing = (np.nan, np.nan)
    values, margins = np.array([found.get(variant, nothing) for variant in BROKEN]).T
    names = [f"{MARKS['done' if variant in found else 'missing']} {name_of(variant)}" for variant in BROKEN]
    components.chart(
        results.all_bars,
        names,
        values,
        intervals=np.stack([values - margins, values + margins], axis=1),
        texts=[f"{score(value, 3)} ± {margin:.3f}" for value, margin in zip(values, margins, strict=True)],
        value_title=t("breakit.all_axis", lang),
        key="all",
        title=t("breakit.all", lang),
        data=lambda: {"variant": BROKEN, "difference": values, "twice_standard_error": margins},
    )
    st.caption(t("breakit.all_caption", lang))


def draw_curves(names: list[str], runs: list) -> None:
    lines = [live.line(run)._replace(name=name) for name, run in zip(names, runs, strict=True)]
    st.header(t("train.curves", lang), anchor=False)
    title, data = t("train.curves", lang), live.as_data(lines)
    components.chart(curves, lines, ("loss",), key="losses", title=title, data=data)
    early = [results.beginning(line) for line in lines]
    title, data = t("breakit.early", lang), live.as_data(early)
    same_rate = np.array_equal(*(line.train["lr"] for line in early))
    quantities = ("grad_norm",) if same_rate else ("grad_norm", "lr")
    components.chart(curves, early, quantities, key="early", title=title, data=data)
    st.caption(t("breakit.curves_caption", lang, n=results.n_early(lines[0])))


def looks(names: list[str], runs: list, first: tuple[int, int]) -> None:
    """A head of each on the shared text, `first` at the beginning, and what each expects behind the focus."""
    st.header(t("app.attention", lang), anchor=False)
    text = state.text_box(lang)
    if not text.strip():
        st.info(t("app.empty", lang))
        return
    ids = [models.run_id(run.name) for run in runs]
    try:
        found = [models.explained(model_id, models.stamp(model_id), text) for model_id in ids]
    except GPT1VizError as error:
        st.info(state.plain(error.message(lang)) if error.code != "no_tokens" else t("app.no_tokens_in_text", lang))
        return
    n = len(found[1].tokens)
    if n < found[1].n_typed:
        st.caption(t("app.cut", lang, n=n, m=found[1].n_typed))
    if text != st.session_state.get("pair_text", text):
        st.session_state.pos = n - 1
    st.session_state.pair_text = text
    n_layer, n_head = found[1].weights.shape[:2]
    for name, most, usual in (("layer", n_layer, first[0]), ("head", n_head, first[1]), ("pos", n, n - 1)):
        state.asked(name, usual, state.between(0, most - 1))
        st.session_state[name] = min(st.session_state[name], most - 1)
    with st.container(horizontal=True, gap="small"):
        layer = state.index_box("layer", t("app.layer", lang), n_layer)
        head = state.index_box("head", t("app.head", lang), n_head)
        focus = state.index_box("pos", t("app.position", lang), n)
    components.token_strip(found[1], lang, "surprisal", focus)
    st.caption(t("breakit.strip_caption", lang, name=names[1]))
    for place, (column, name, one) in enumerate(zip(side_by_side.two("looks"), names, found, strict=True)):
        with column:
            st.caption(name)
            products, mask = one.products(layer, head), one.trace.get("mask")
            weights = one.weights[layer, head]
            title = f"{t('app.attention', lang)}: {name}"
            components.chart(
                head_stages,
                products,
                one.scale,
                weights,
                one.tokens,
                layer=layer,
                head=head,
                mask=mask,
                stage="weights",
                cell=(focus, int(weights[focus].argmax())),
                key=f"head_{place}",
                title=title,
                data=partial(saving.matrix, one.tokens, weights),
            )
            tokenizer = models.load(ids[place], models.stamp(ids[place])).tokenizer
            tokens, p = state.entries(tokenizer, one.next_ids[focus][:TOP]), one.next_probability[focus][:TOP]
            columns = {"token": tokens, "probability": p}
            title = f"{t('breakit.next', lang)}: {name}"
            components.chart(next_tokens, tokens, p, key=f"next_{place}", title=title, data=lambda c=columns: c)
    st.caption(t("breakit.looks_caption", lang, n=focus))


live.refusal(lang)
st.caption(
    t("breakit.about", lang, n=f"{breakit.recipe('gpt1')[0].n_params:,}", steps=f"{pairs.steps():,}", time=about(1))
)
chosen = choose()
pair = (breakit.VARIANTS[chosen].twin, chosen)
others(pair)
st.markdown(words(chosen, "what"))
st.markdown(words(chosen, "expect"))
if all(pairs.state(variant) == "done" for variant in pair):
    compared(pair)
else:
    training(pair)
with components.careful(lang):
    everything()
components.look_for("breakit", lang)
components.show_code(lang, *CODE[chosen], broken.measure, breakit.plan)
