"""Cost: parameters, operations, memory and time of any shape on any hardware, by arithmetic."""

import components
import cost_shape
import cost_tables
import live
import numpy as np
import side_by_side
import state
import streamlit as st

from gpt1viz.analysis import costs
from gpt1viz.figures import bars, lines, numbers
from gpt1viz.text import t

# In what colour a part is drawn. The rows of the embedding are where the residual stream starts and ends.
ROLES = {
    "tokens": "residual",
    "positions": "residual",
    "attention": "attention",
    "mlp": "mlp",
    "norms": "ink",
    "projections": "attention",
    "pairs": "attention",
    "head": "residual",
}
MEMORY_ROLES = {"weights": "residual", "gradients": "query", "optimizer": "key", "activations": "attention"}
MEMORY_ROLES |= {"logits": "extract"}

lang, dark = st.session_state.lang, components.dark()


def choose_running() -> tuple[str, int, float, bool, int, float, float]:
    """Hardware, devices, utilisation, 16 bits, texts at once, billions of tokens, price of an hour."""
    kept = {"persist_state": "session"}
    first, second, third, fourth = st.columns([1.3, 1, 1, 1], gap="medium", vertical_alignment="bottom")
    state.asked("hardware", "p6000", state.one_of(costs.HARDWARE))
    device = first.selectbox(
        t("cost.hardware", lang),
        [*costs.HARDWARE],
        format_func=lambda name: costs.HARDWARE[name].name,
        key="hardware",
        **kept,
    )
    state.asked("devices", 8, state.between(1, 100_000))
    n = second.number_input(t("cost.devices", lang), 1, 100_000, step=1, key="devices", **kept)
    state.asked("utilisation", 33, state.between(1, 100))
    share = third.slider(
        t("cost.utilisation", lang),
        1,
        100,
        format="%d%%",
        key="utilisation",
        help=t("cost.utilisation_help", lang),
        **kept,
    )
    state.asked("half", False, state.one_of((True, False)))
    half = fourth.toggle(t("cost.half", lang), key="half", help=t("cost.half_help", lang), **kept)
    first, second, third, _ = st.columns([1.3, 1, 1, 1], gap="medium", vertical_alignment="bottom")
    state.asked("billions", 110.0, state.between(0.001, 1e6, float))
    billions = first.number_input(
        t("cost.billions", lang), 0.001, 1e6, key="billions", format="%.3f", help=t("cost.billions_help", lang), **kept
    )
    state.asked("texts", 64, state.between(1, 65_536))
    texts = second.number_input(
        t("cost.texts", lang), 1, 65_536, step=1, key="texts", help=t("cost.texts_help", lang), **kept
    )
    st.session_state.setdefault("price", 0.0)
    price = third.number_input(
        t("cost.price", lang), 0.0, 1e6, step=0.1, key="price", help=t("cost.price_help", lang), **kept
    )
    usual = {"hardware": "p6000", "devices": 8, "utilisation": 33, "half": False, "billions": 110.0, "texts": 64}
    chosen = {name: st.session_state[name] for name in usual}
    state.also_link(**{k: None if v == usual[k] else str(v).lower() for k, v in chosen.items()})
    return device, n, share / 100, half, texts, billions, price


config = cost_shape.choose(lang)
st.divider()
device, n_devices, utilisation, half, texts, billions, price = choose_running()
hardware = costs.HARDWARE[device]
width = 2 if half and hardware.flops_16 else 4
if half and not hardware.flops_16:
    st.caption(t("cost.no_half", lang, device=hardware.name))

parameters, forward = costs.parameters(config), costs.forward_flops(config)
flops = 1e9 * billions * costs.flops_a_token(config)
seconds = costs.training_seconds(flops, hardware, n_devices, utilisation, half)
memory = costs.training_memory(config, max(1, texts // n_devices), width)
cache = costs.kv_cache(config, width=width)
writing = costs.writing_seconds(config, config.n_ctx, hardware, half)
hours = seconds * n_devices / 3600
items = [
    ("parameters", f"{config.n_params:,} ({numbers.short(config.n_params, lang)})"),
    ("forward", numbers.operations(sum(forward.values()))),
    ("training", numbers.operations(costs.flops_a_token(config))),
    ("whole", f"{numbers.operations(flops)} = {numbers.three(flops / costs.PETAFLOP_DAY)} PF·d"),
    ("time", numbers.span(seconds, lang)),
    ("hours", numbers.three(hours)),
    ("memory", numbers.size(sum(memory.values()))),
    ("cache", numbers.size(cache)),
    ("writing", numbers.span(max(writing.values()), lang)),
]
items += [("money", numbers.three(hours * price))] if price else []
live.figures([(t(f"cost.n_{name}", lang), value) for name, value in items])
if sum(memory.values()) > hardware.memory:
    needed = {"needs": numbers.size(sum(memory.values())), "has": numbers.size(hardware.memory)}
    st.info(t("cost.too_large", lang, device=hardware.name, **needed))
slow = "memory" if writing["memory"] > writing["compute"] else "compute"
st.caption(t(f"cost.waits_for_{slow}", lang, n=config.n_ctx))


def part_bars(kind: str, parts: dict, show, roles: dict, unit: float) -> None:
    """The parts of a cost as bars, each with its number and share; the axis counts in `unit`."""
    whole = sum(parts.values())
    components.chart(
        bars,
        [t(f"cost.part_{name}", lang) for name in parts],
        np.array([*parts.values()]) / unit,
        roles=[roles[name] for name in parts],
        texts=[f"{show(value)} · {numbers.percent(value / whole)}" for value in parts.values()],
        value_title=t(f"cost.axis_{kind}", lang),
        key=f"cost_{kind}",
        title=t(f"cost.{kind}_title", lang),
        data=lambda: {"part": [*parts], kind: [*parts.values()]},
    )


left, right = side_by_side.two("cost_parts")
with left:
    st.header(t("cost.parameters_title", lang), anchor=False)
    part_bars("parameters", parameters, lambda value: numbers.short(value, lang), ROLES, 1e6)
    st.caption(t("cost.parameters_caption", lang, n=f"{config.n_params:,}"))
with right:
    st.header(t("cost.flops_title", lang), anchor=False)
    part_bars("flops", forward, numbers.operations, ROLES, 1e6)
    st.caption(t("cost.flops_caption", lang, n=f"{config.n_ctx:,}"))
components.look_for("cost", lang)

left, right = side_by_side.two("cost_growth")
with left:
    st.header(t("cost.length_title", lang), anchor=False)
    lengths = np.unique(np.linspace(1, max(4 * config.n_ctx, 8192), 65).astype(int))
    by_length = [costs.forward_flops(config, int(n)) for n in lengths]
    names = {part: t(f"cost.part_{part}", lang) for part in by_length[0]}
    components.chart(
        lines,
        lengths.tolist(),
        {names[part]: np.array([found[part] / 1e6 for found in by_length]) for part in names},
        roles={names[part]: {"projections": "key", "pairs": "attention"}.get(part, ROLES[part]) for part in names},
        x_title=t("cost.axis_length", lang),
        y_title=t("cost.axis_flops", lang),
        marked=config.n_ctx,
        key="cost_length",
        title=t("cost.length_title", lang),
        data=lambda: {"tokens": lengths, **{part: [found[part] for found in by_length] for part in names}},
    )
    crossing = (forward["projections"] + forward["mlp"]) * config.n_ctx / forward["pairs"]
    st.caption(t("cost.length_caption", lang, n=f"{crossing:,.0f}"))
with right:
    st.header(t("cost.depth_title", lang), anchor=False)
    depths = np.arange(0, max(2 * config.n_layer, 24) + 1)
    rows = {part: parameters[part] for part in ("tokens", "positions", "attention", "mlp")}
    by_depth = {
        part: rows[part] / 1e6 * (depths / config.n_layer if part in ("attention", "mlp") else np.ones(len(depths)))
        for part in rows
    }
    components.chart(
        lines,
        depths.tolist(),
        {t(f"cost.part_{part}", lang): values for part, values in by_depth.items()},
        roles={t(f"cost.part_{part}", lang): "ink" if part == "positions" else ROLES[part] for part in rows},
        x_title=t("cost.axis_depth", lang),
        y_title=t("cost.axis_parameters", lang),
        marked=config.n_layer,
        key="cost_depth",
        title=t("cost.depth_title", lang),
        data=lambda: {"layers": depths, **{part: values * 1e6 for part, values in by_depth.items()}},
    )
    st.caption(t("cost.depth_caption", lang))

st.header(t("cost.memory_title", lang), anchor=False)
part_bars("memory", memory, numbers.size, MEMORY_ROLES, 1e9)
st.caption(t("cost.memory_caption", lang, n=max(1, texts // n_devices), ctx=f"{config.n_ctx:,}", width=8 * width))

st.header(t("cost.now_title", lang), anchor=False)
st.markdown(t("cost.now", lang, words=numbers.short(costs.BOOKS_WORDS, lang)))
st.html(cost_tables.hardware(device, n_devices, utilisation, half, price, lang, dark))
st.caption(t("cost.now_caption", lang, share=f"{utilisation:.0%}"))

st.header(t("cost.later_title", lang), anchor=False)
st.html(cost_tables.generations(lang, dark))
st.markdown(t("cost.later", lang))
with st.expander(t("cost.sources", lang)):
    sources = {m.source: m.name for m in costs.PUBLISHED.values()} | {h.source: h.name for h in costs.HARDWARE.values()}
    st.markdown("\n".join(f"- {state.plain(name)}: {state.plain(source)}" for source, name in sources.items()))
components.show_code(
    lang, costs.parameters, costs.forward_flops, costs.activations, costs.training_memory, costs.writing_seconds
)
