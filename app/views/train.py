"""Train: choose a text, a shape and a budget, see what it costs, start; then watch the model learn."""

import json

import components
import jobs
import live
import sources
import speed
import state
import streamlit as st

from gpt1viz.errors import GPT1VizError
from gpt1viz.text import t
from gpt1viz.training.cost import flops_a_token
from gpt1viz.training.devices import pick_device
from gpt1viz.training.loop import Loop
from gpt1viz.training.plan import Plan
from gpt1viz.training.schedules import SCHEDULES, pretraining

lang = st.session_state.lang

# A preset: the recipe it starts from, then layers, heads, dimensions a head, context, vocabulary, sequences an update.
PRESETS = {
    "tiny": ("storybook", 2, 2, 16, 32, 256, 16),
    "small": ("storybook", 3, 4, 32, 64, 1024, 16),
    "storybook": ("storybook", 6, 6, 32, 256, 4096, 16),
    "paper": ("paper", 12, 12, 64, 512, 40478, 64),
}
CHOICES = {
    "n_layer": tuple(range(1, 13)),
    "n_head": (1, 2, 3, 4, 6, 8, 12),
    "d_head": (4, 8, 16, 32, 64),
    "n_ctx": (16, 32, 64, 128, 256, 512),
    "vocabulary": (128, 256, 512, 1024, 2048, 4096, 8192, 40478),
    "batch_size": (4, 8, 16, 32, 64),
}
SWITCHES = {"causal": (True, False), "norm": ("post", "pre"), "positions": ("learned", "sinusoidal", "none")}
SWITCHES |= {"afn": ("gelu", "relu", "silu")}
BUDGETS = {"minutes": (0.1, 600.0, 2.0), "steps": (1, 1_000_000, 1000), "tokens": (1000, 10_000_000_000, 1_000_000)}
REPORTS = 20  # evaluations and samples in a run, about


def take_preset() -> None:
    """The shape's sliders follow the preset."""
    _, *values = PRESETS[st.session_state.preset]
    st.session_state.update(dict(zip(CHOICES, values, strict=True)))
    st.session_state.lr = recipe().training["lr"]


def recipe() -> Plan:
    return Plan.read(PRESETS[st.session_state.get("preset", "tiny")][0])


def kept(name: str) -> dict:
    """A widget's key, and that it keeps its value while another page is shown."""
    return {"key": name, "persist_state": "session"}


def choose_text() -> str:
    names = sources.offered(lang)
    st.markdown(f"**1 · {t('train.text', lang)}**")
    chosen = st.selectbox(t("train.text", lang), [*names], format_func=names.__getitem__, **kept("source"))
    if chosen == "upload":
        kinds = ["txt", "md", "jsonl"]
        st.file_uploader(t("train.upload", lang), kinds, accept_multiple_files=True, key="uploads", max_upload_size=50)
    elif chosen == "books" and not sources.books_folder() and sources.books_here() < sources.n_books():
        st.caption(t("train.books_download", lang, n=sources.n_books() - sources.books_here()))
    elif chosen == "sample":
        st.caption(t("train.sample_caption", lang))
    st.text_input(t("train.prompt", lang), "once upon a time", max_chars=200, **kept("prompt"))
    return chosen


def choose_shape() -> dict:
    st.markdown(f"**2 · {t('train.shape', lang)}**")
    if "n_layer" not in st.session_state:
        st.session_state.setdefault("preset", "tiny")
        take_preset()
    st.segmented_control(
        t("train.preset", lang),
        [*PRESETS],
        format_func=lambda name: t(f"train.preset_{name}", lang),
        required=True,
        wrap=True,
        on_change=take_preset,
        **kept("preset"),
    )
    shape = {}
    for name in ("n_layer", "n_head", "d_head", "n_ctx", "vocabulary"):
        shape[name] = st.select_slider(t(f"train.{name}", lang), CHOICES[name], **kept(name))
    shape["n_embd"] = shape["n_head"] * shape.pop("d_head")
    with st.expander(t("train.switches", lang)):
        st.caption(t("train.switches_caption", lang))
        for name, values in SWITCHES.items():
            shape[name] = st.selectbox(
                t(f"train.{name}", lang), values, format_func=lambda value: t(f"train.is_{value}", lang), **kept(name)
            )
    return shape


def choose_budget() -> tuple[dict, dict]:
    """(budget, other settings of training)."""
    st.markdown(f"**3 · {t('train.budget', lang)}**")
    kind = st.segmented_control(
        t("train.until", lang),
        [*BUDGETS],
        format_func=lambda name: t(f"train.until_{name}", lang),
        default="minutes",
        required=True,
        wrap=True,
        **kept("budget"),
    )
    low, high, usual = BUDGETS[kind]
    n = st.number_input(t(f"train.until_{kind}", lang), low, high, usual, **kept(f"budget_{kind}"))
    settings = {
        "batch_size": st.select_slider(t("train.batch_size", lang), CHOICES["batch_size"], **kept("batch_size"))
    }
    with st.expander(t("train.schedule", lang)):
        names = [*SCHEDULES]
        settings["schedule"] = st.selectbox(
            t("train.schedule", lang), names, format_func=lambda name: t(f"train.is_{name}", lang), **kept("schedule")
        )
        settings["lr"] = st.number_input(t("train.lr", lang), 1e-6, 1.0, format="%.2e", step=1e-4, **kept("lr"))
        settings["warmup"] = st.number_input(t("train.warmup", lang), 0, 100_000, 100, **kept("warmup"))
        settings["seed"] = st.number_input(t("app.seed", lang), 0, state.MOST_SEED, 0, **kept("train_seed"))
    here = pick_device().type
    devices = ["cpu"] if here == "cpu" else [here, "cpu"]
    names = {"cpu": t("train.device_cpu", lang, n=jobs.threads())}
    settings["device"] = st.selectbox(
        t("train.device", lang), devices, format_func=lambda name: names.get(name, name.upper()), **kept("device")
    )
    return {kind: n}, settings


def planned(shape: dict, budget: dict, settings: dict) -> Plan:
    prompts = [st.session_state.prompt] if st.session_state.prompt.strip() else []
    return recipe().changed(shape | settings | {"prompts": prompts}).within(**budget)


def cost_panel(plan: Plan, n_tokens: int | None, measured: bool) -> None:
    """What the plan costs, at once by arithmetic; the time once a trial has ended."""
    config, settings = plan.config(plan.vocabulary), plan.settings
    known, cost = speed.trials().ask(config, speed.without_budget(settings))
    if known and not measured:
        st.rerun()  # the page need not ask every second any more
    items = [("parameters", f"{config.n_params:,}"), ("flops", f"{flops_a_token(config):,}")]
    items.append(("memory", size(cost.memory if cost else speed.memory(config, settings))))
    if cost:
        minutes, steps = speed.as_budget(settings, config.n_ctx, cost)
        items += [("speed", f"{cost.tokens_a_second:,.0f}"), ("updates", f"{steps:,}")]
        items.append(("time", live.duration(60 * minutes, lang)))
        if n_tokens:
            items.append(("passes", f"{steps * settings.batch_size * config.n_ctx / n_tokens:.2g}"))
    live.figures([(t(f"train.plan_{name}", lang), value) for name, value in items])
    if cost is None:
        st.caption(t("train.not_measured" if known else "train.measuring", lang))


def size(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB"


def begin(plan: Plan, chosen: str, name: str, steps: int | None) -> None:
    """Starts the run and shows it from now on."""
    found = sources.source(chosen, st.session_state.get("uploads") or ())
    every = max(1, (steps or 2000) // REPORTS)
    values = plan.model | {k: v for k, v in plan.training.items() if k not in ("steps", "tokens", "minutes")}
    values |= {"vocabulary": plan.vocabulary, "eval_every": every, "sample_every": every, "save_minutes": 2.0}
    words = [word for key, value in values.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    for budget in ("steps", "tokens", "minutes"):
        if (n := plan.training.get(budget)) is not None:
            words += [f"--{budget}", str(n)]
    jobs.start(name, "pretrain", ["train", *found.arguments, *words], lang, found.files)
    st.session_state.run = name


def form() -> None:
    if jobs.read_only():
        st.info(t("errors.app_read_only", lang))
        return
    if busy := [name for name in jobs.going_on() if jobs.is_name(name)]:
        st.caption(t("train.others", lang))
        with st.container(horizontal=True):
            for name in busy:
                st.button(state.plain(name), key=f"watch_{name}", on_click=look_at, args=(name,))
    text, shape, budget = st.columns(3, gap="medium")
    with text:
        chosen = choose_text()
    with shape:
        model = choose_shape()
    with budget:
        until, training = choose_budget()
    try:
        plan = planned(model, until, training)
        config, settings = plan.config(plan.vocabulary), plan.settings
        found = sources.source(chosen, st.session_state.get("uploads") or ())
    except GPT1VizError as error:
        st.info(state.plain(error.message(lang)))
        return
    st.header(t("train.plan", lang), anchor=False)
    measured, cost = speed.trials().ask(config, speed.without_budget(settings))
    st.fragment(cost_panel, run_every=None if measured else 1)(plan, found.n_tokens, measured)
    steps = speed.as_budget(settings, config.n_ctx, cost)[1] if cost else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state.setdefault("run_name", jobs.free_name("my-model"))
        name = st.text_input(t("train.name", lang), max_chars=40, **kept("run_name"), width=280)
        full = len(busy) >= jobs.max_runs()
        if st.button(t("train.start", lang), key="start", type="primary", disabled=full):
            live.acts(begin, plan, chosen, name.strip(), steps)  # no callback: it would miss what was typed just before
            st.rerun()
    if full:
        st.caption(
            t("errors.app_runs_full", lang, n=len(busy), most=jobs.max_runs(), names=state.plain(", ".join(busy)))
        )


def look_at(name: str) -> None:
    st.session_state.run = name


def attention(name: str) -> None:
    """What the run's newest checkpoint makes of the shared text; it follows while the run is going on."""
    run = jobs.find(name)
    if run is None or not run.checkpoints():
        return
    st.header(t("app.attention", lang), anchor=False)
    if (text := state.text_box(lang)).strip():
        st.fragment(live.newest, run_every=3 if run.state == "running" else None)(name, text, lang)


live.refusal(lang)
if "run" not in st.session_state:
    going = [run.name for run in jobs.all_runs() if run.state == "running" and run.settings.get("kind") != "finetune"]
    wanted = st.query_params.get("run") or next(iter(going), "")
    st.session_state.run = wanted if jobs.is_name(wanted) else ""
watched = st.session_state.run
state.also_link(run=watched or None)
if not watched:
    form()
else:
    st.header(state.plain(watched), anchor=False)
    live.watch(watched, lang)
    attention(watched)
components.look_for("train", lang)
components.show_code(lang, Loop.update, pretraining)
