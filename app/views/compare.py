"""Compare: two models or two texts, every drawing twice on one scale, and the difference where the tokens agree."""

import compare_stream
import components
import numpy as np
import other
import panels
import side_by_side
import state
import streamlit as st

from gpt1viz.analysis import compare
from gpt1viz.analysis.contributions import contributions
from gpt1viz.explain import Explanation
from gpt1viz.figures import bars, heatmap, next_tokens, numbers
from gpt1viz.text import t
from gpt1viz.views import shown_window

lang, dark = st.session_state.lang, components.dark()
a = state.study()
b = other.choose(a)
first, second = a.explanation, b.explanation
n_a, n_b = len(first.tokens), len(second.tokens)


@st.cache_data(max_entries=32, show_spinner=False)
def shared(a: tuple[str, ...], b: tuple[str, ...]) -> np.ndarray:
    """Positions of the tokens in common, (N, 2)."""
    return compare.shared(a, b)


agreed = shared(*(tuple(piece.entry for piece in x.tokens) for x in (first, second)))
there = compare.counterparts(agreed, n_a, n_b)  # of each position of A, B's
back = compare.counterparts(agreed[:, ::-1], n_b, n_a)
same_vocabulary = a.model_id == b.model_id or a.loaded.tokenizer.vocab == b.loaded.tokenizer.vocab
names = {
    "A": t("compare.side", lang, side="A", name=state.plain(a.loaded.info.name)),
    "B": t("compare.side", lang, side="B", name=state.plain(b.loaded.info.name)),
}


def typed_ends(explanation: Explanation) -> list[int]:
    return [piece.end for piece in explanation.tokens]


def summary() -> str:
    """What the two are, and what each token and each character costs them."""
    ends = [typed_ends(x) for x in (first, second)]
    same_text = first.text == second.text
    stretches = [compare.common_stretch(*(ends if same_text else [end, end])) for end in ends]
    bits = [
        numbers.NOTHING if part is None else f"{compare.bits_a_character(end, x.surprisal, *part):.2f}"
        for part, end, x in zip(stretches, ends, (first, second), strict=True)
    ]
    configs = [x.loaded.model.config for x in (a, b)]
    means = [float(np.nanmean(x.surprisal)) if len(x.tokens) > 1 else np.nan for x in (first, second)]
    rows = [
        ("model", [x.loaded.info.name for x in (a, b)]),
        ("parameters", [numbers.short(config.n_params, lang) for config in configs]),
        ("shape", [f"{c.n_layer} × {c.n_head}, {c.norm}-LN" for c in configs]),
        ("vocabulary", [f"{c.n_vocab:,}" for c in configs]),
        ("tokens", [str(n_a), str(n_b)]),
        ("token_bits", [numbers.NOTHING if np.isnan(mean) else f"{mean:.2f}" for mean in means]),
        ("character_bits", bits),
    ]
    return panels.table(["", "A", "B"], [[t(f"compare.row_{name}", lang), *cells] for name, cells in rows], dark)


st.html(summary())
if not same_vocabulary:
    st.info(t("compare.other_vocabulary", lang))
elif first.text != second.text:
    st.caption(t("compare.other_text", lang))
st.caption(t("compare.agreed", lang, n=len(agreed), a=n_a, b=n_b))

# ---- surprisal
st.header(t("compare.surprisal", lang), anchor=False)
kind = components.chosen_colour("surprisal")
left, right = side_by_side.two("compare_strips")
with left:
    st.caption(names["A"])
    components.token_strip(first, lang, kind, a.focus)
with right:
    st.caption(names["B"])
    place = {"key": "strip_b", "title": t("compare.strip_b", lang), "place": back}
    components.token_strip(second, lang, kind, int(there[a.focus]), **place)
config_a, config_b = a.loaded.model.config, b.loaded.model.config
layer = state.index("layer", config_a.n_layer, config_a.n_layer // 2)
head = state.index("head", config_a.n_head, config_a.n_head - 1)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    components.colour_by(lang, "surprisal", components.KINDS[:-1])
    state.index_box("pos", t("app.position", lang), n_a)
    state.index_box("layer", t("app.layer", lang), config_a.n_layer)
    state.index_box("head", t("app.head", lang), config_a.n_head)
focus_b, layer_b, head_b = int(there[a.focus]), min(layer, config_b.n_layer - 1), min(head, config_b.n_head - 1)

nearest = int(np.abs(agreed[:, 0] - a.focus).argmin()) if len(agreed) else 0
part = shown_window(len(agreed), nearest)
seen = agreed[part]
tokens = [first.tokens[i] for i in seen[:, 0]]
if not len(agreed):
    st.info(t("compare.nothing_shared", lang))
else:
    if len(seen) < len(agreed):
        st.caption(t("compare.window", lang, n=len(seen), all=len(agreed)))
    change = compare.surprisal_difference(first.surprisal, second.surprisal, seen)
    components.chart(
        heatmap,
        change[None],
        [t("compare.b_less_a", lang)],
        tokens,
        hover=t("compare.more_bits", lang),
        cell=56,
        key="compare_surprisal",
        title=t("compare.surprisal_change", lang),
        data=lambda: {
            "token": [piece.text for piece in tokens],
            "position_a": seen[:, 0],
            "position_b": seen[:, 1],
            "bits_more": change,
        },
    )
    st.caption(t("compare.surprisal_caption" if same_vocabulary else "compare.surprisal_caption_other", lang))
components.look_for("compare", lang)

# ---- attention
st.header(t("compare.attention", lang), anchor=False)
weights_a, weights_b = first.weights[layer, head], second.weights[layer_b, head_b]
locked = st.session_state.get("locked", False)
key = state.index("key", n_a, int(weights_a[a.focus].argmax())) if locked else int(weights_a[a.focus].argmax())
key_b = int(there[key]) if locked else int(weights_b[focus_b].argmax())
left, right = side_by_side.two("compare_grids")
with left:
    st.caption(names["A"])
    components.attention_grid(first, lang, layer, head, (a.focus, key))
with right:
    st.caption(names["B"])
    title = t("compare.grid_b", lang, layer=layer_b, head=head_b)
    components.attention_grid(second, lang, layer_b, head_b, (focus_b, key_b), key="grid_b", title=title, place=back)
if (layer, head) != (layer_b, head_b):
    st.caption(t("compare.no_such_head", lang, layer=layer, head=head, layer_b=layer_b, head_b=head_b))
if len(agreed):
    change_of_weights = compare.weights_difference(weights_a, weights_b, seen)
    components.chart(
        heatmap,
        change_of_weights,
        tokens,
        tokens,
        row_title=t("compare.query", lang),
        column_title=t("compare.key", lang),
        hover=t("compare.more_weight", lang),
        cell=max(4, min(28, 560 // len(seen))),
        key="compare_weights",
        title=t("compare.weights_change", lang, layer=layer_b, head=head_b),
        data=lambda: {
            "query": np.repeat(seen[:, 0], len(seen)),
            "key": np.tile(seen[:, 0], len(seen)),
            "weight_more": change_of_weights.ravel(),
        },
    )
    heads = {"a": f"L{layer}·H{head}", "b": f"L{layer_b}·H{head_b}"}
    st.caption(t("compare.weights_caption", lang, **heads))

# ---- the next token
st.header(t("compare.next", lang), anchor=False)
sides = [(first, a.focus), (second, focus_b)]
highest = numbers.nice_limit(max(float(x.next_probability[at].max()) for x, at in sides))
candidates = [
    state.entries(study.loaded.tokenizer, x.next_ids[at]) for study, (x, at) in zip((a, b), sides, strict=True)
]


def on_one_scale(tokens: list[str], probabilities: np.ndarray, **look):
    """The candidates, both sides' axes ending at the same probability."""
    return next_tokens(tokens, probabilities, **look).update_xaxes(range=[0, 1.12 * highest])


for column, side, tops, (x, at) in zip(side_by_side.two("compare_next"), "AB", candidates, sides, strict=True):
    with column:
        st.caption(names[side])
        components.chart(
            on_one_scale,
            tops,
            x.next_probability[at],
            key=f"compare_next_{side.lower()}",
            title=t("compare.next_of", lang, side=side),
            data=lambda tops=tops, p=x.next_probability[at]: {"token": tops, "probability": p},
        )
st.caption(t("compare.next_caption", lang, a=state.plain(state.token_at(a, a.focus)), n=focus_b))
both = [token for token in candidates[0] if token in candidates[1]]
if both:
    p_a, p_b = (
        np.array([x.next_probability[at][tops.index(token)] for token in both])
        for tops, (x, at) in zip(candidates, sides, strict=True)
    )
    components.chart(
        bars,
        both,
        100 * (p_b - p_a),
        texts=[f"{numbers.percent(float(p))} → {numbers.percent(float(q))}" for p, q in zip(p_a, p_b, strict=True)],
        value_title=t("compare.points", lang),
        key="compare_next_change",
        title=t("compare.next_change", lang),
        data=lambda: {"token": both, "probability_a": p_a, "probability_b": p_b},
    )
st.caption(t("compare.next_change_caption" if both else "compare.next_none", lang))

# ---- the residual stream
st.header(t("compare.stream", lang), anchor=False)
compare_stream.show(a, b)

components.show_code(
    lang,
    compare.shared,
    compare.surprisal_difference,
    compare.weights_difference,
    compare.bits_a_character,
    contributions,
)
