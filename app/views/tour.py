"""Tour: from a text to the next token in seven stages, each drawn from the pass that has just run."""

from collections.abc import Callable
from html import escape

import components
import numpy as np
import saving
import stages
import state
import streamlit as st
import torch

from gpt1viz import palette
from gpt1viz.explain import explain
from gpt1viz.figures import numbers, unit_bar
from gpt1viz.generate import Step, generate
from gpt1viz.model import GPT1
from gpt1viz.sampling import Distribution, Sampling, distribution
from gpt1viz.text import t
from gpt1viz.trace import Trace

MOST_STEPS = 200  # of one writing session
SHOWN = 40  # slices of the unit bar
LINKS = {"text": "tokens", "tokens": "tokens", "embed": "tokens", "blocks": "attention"}  # the rest: next_token
STYLE = """<style>
.st-key-tour [data-testid=stHorizontalBlock] { gap: 16px }
.st-key-tour [data-testid=stColumn] { min-width: 300px; border-top: 1px solid %s; padding-top: 8px }
.st-key-tour [data-testid=stVerticalBlock] { gap: 0 }
.st-key-tour [data-testid=stPageLink] p, .st-key-tour_draw [data-testid=stPageLink] p { color: %s }
.st-key-tour [data-testid=stPageLink] a { padding-left: 0 }
</style>"""

lang, dark = st.session_state.lang, components.dark()
study = state.study()
plain, (model, tokenizer, *_) = study.explanation, study.loaded
config = model.config
steps = state.written(study)
state.asked("seed", 0, state.between(0, state.MOST_SEED))

# The picture is of the pass that wrote the last token; before the first, of the pass that will.
ids = list(steps[-1].ids[:-1]) if steps else state.typed_ids(study)
read = tuple(ids[-config.n_ctx :])


@st.cache_resource(max_entries=4, show_spinner=False)
def passed(model_id: str, stamp: float, ids: tuple[int, ...], _model: GPT1) -> tuple[np.ndarray, ...]:
    """One pass over ids that nobody typed: embeddings (T, C), pooled weights, the last token's (L, H, T), logits."""
    trace = Trace(fields={"embed", "weights"})
    with torch.inference_mode():
        output = _model(torch.tensor([ids], device=_model.device), trace=trace)
    weights = torch.stack([block.weights[0] for block in trace.blocks]).cpu().numpy()
    scores = output.logits[0, -1, : _model.config.n_vocab].float().cpu().numpy()
    return trace.embed[0].cpu().numpy(), stages.pooled(weights)[0], weights[:, :, -1], scores


if read == tuple(plain.ids.tolist()):
    embed, tiles, last, logits = (
        plain.field("embed"),
        stages.pooled(plain.weights)[0],
        plain.weights[:, :, -1],
        plain.logits,
    )
else:
    embed, tiles, last, logits = passed(study.model_id, study.stamp, read, model)
step = steps[-1] if steps else None
options = step.distribution() if step else distribution(torch.from_numpy(logits), Sampling())
n, k = len(read), -(-len(read) // stages.TILE)
pieces = [*plain.tokens, *tokenizer.pieces(ids[len(plain.tokens) :])] if len(ids) <= config.n_ctx else None
pieces = pieces or tokenizer.pieces(read)
names = [stages.label(piece) for piece in pieces]
words = tokenizer.decode(ids) if len(steps) > 1 else plain.text
top = options.ids[:5].tolist()
best = state.entries(tokenizer, top)
focus = study.focus if study.focus < n - 1 and len(steps) < 2 else n - 1

components.token_strip(plain, lang, components.chosen_colour("probability"), study.focus)


def every_weight() -> saving.Columns:
    layer, head, key = (x.ravel() for x in np.indices(last.shape))
    return {"layer": layer, "head": head, "key": key, "weight_from_last": last.ravel()}


def every_number() -> saving.Columns:
    position, dimension = (x.ravel() for x in np.indices(embed.shape))
    return {"position": position, "dimension": dimension, "value": embed.ravel()}


def every_logit() -> saving.Columns:
    return {"id": range(len(logits)), "entry": [tokenizer.entry(i) for i in range(len(logits))], "logit": logits}


def every_token() -> saving.Columns:
    return {"token": [piece.text for piece in pieces], "entry": [piece.entry for piece in pieces], "id": read}


def every_probability() -> saving.Columns:
    entries = [tokenizer.entry(int(i)) for i in options.ids]
    return {"entry": entries, "id": options.ids.numpy(), "probability": options.probabilities.numpy()}


def drawn() -> dict[str, tuple[str, str, Callable[[], saving.Columns]]]:
    """(drawing, shape, what its CSV file holds) of each stage."""
    most = state.entries(tokenizer, [int(logits.argmax())])[0]
    shape = f"{config.n_layer} × {config.n_head} × {n} × {n}"
    return {
        "text": (stages.text(words, dark), t("tour.text_shape", lang, n=f"{len(words):,}"), lambda: {"text": [words]}),
        "tokens": (stages.tokens(pieces, dark), f"T = {n}", every_token),
        "embed": (stages.embeddings(embed, names, focus, dark), f"T × C = {n} × {config.n_embd}", every_number),
        "blocks": (stages.blocks(tiles, last, names, dark, lang), f"L × H × T × S = {shape}", every_weight),
        "logits": (stages.logits(logits, most, dark, lang), f"V = {config.n_vocab:,}", every_logit),
        "top": (
            stages.probabilities(best, options.probabilities.numpy()[:5], dark),
            t("tour.top_shape", lang, n=f"{config.n_vocab:,}"),
            every_probability,
        ),
    }


values = {
    "C": config.n_embd,
    "D": stages.DIMS if config.n_embd > stages.DIMS else config.n_embd,
    "L": config.n_layer,
    "H": config.n_head,
    "V": f"{config.n_vocab:,}",
    "k": k,
}
st.html(STYLE % (palette.HATCH[dark], palette.LINK[dark]))


def stage(number: int, name: str, drawing: str, shape: str, columns: Callable) -> None:
    """One stage: its name and shape, the drawing, a sentence, the way to its page."""
    title = t(f"tour.{name}", lang)
    sentence, gap = t(f"tour.{name}_says", lang, **values), "" if lang == "zh" else " "
    if name == "blocks" and k > 1:
        sentence += gap + t("tour.pooled", lang, k=k)
    if name == "embed" and n > stages.ROWS:
        sentence += gap + t("tour.some_rows", lang, rows=stages.ROWS, n=n)
    page = LINKS.get(name, "next_token")
    with saving.drawing(f"tour_{name}", title, columns):
        stages.show(f"{number}", title, shape, drawing, sentence, dark, key=name)
        st.page_link(f"views/{page}.py", label=f"{t(f'app.{page}', lang)} ›")


with components.careful(lang), st.container(key="tour"):
    made = list(drawn().items())
    for row in (made[:3], made[3:]):
        for column, (name, (drawing, shape, columns)) in zip(st.columns(3), row, strict=True):
            with column:
                stage([*dict(made)].index(name) + 1, name, drawing, shape, columns)


def write() -> None:
    """Draw the next token, after all that is written."""
    so_far = list(step.ids) if step else ids
    now = state.next_logits(study, tuple(so_far[-config.n_ctx :])) if step else torch.from_numpy(logits)
    u = state.first_draw(st.session_state.seed + len(steps))
    choice = distribution(now, Sampling())
    token, window = int(choice.ids[choice.pick(u)]), max(0, len(so_far) - config.n_ctx)
    steps.append(Step(token, (*so_far, token), window, now, Sampling(), u, tokenizer))


def undo() -> None:
    if steps:
        steps.pop()


def clear() -> None:
    st.session_state.update(steps=[], step=None)


def again() -> None:
    """The last token drawn once more, by the next seed."""
    if steps:
        last_step = steps.pop()
        st.session_state.seed = (st.session_state.seed + 1) % (state.MOST_SEED + 1)
        u = state.first_draw(st.session_state.seed + len(steps))
        choice = distribution(last_step.logits, Sampling())
        token = int(choice.ids[choice.pick(u)])
        ids = (*last_step.ids[:-1], token)
        steps.append(Step(token, ids, last_step.window_start, last_step.logits, Sampling(), u, tokenizer))


def written_text(before: str, after: str) -> str:
    """The end of the text so far, what the last token brought underlined."""
    differ = (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    same = next(differ, min(len(before), len(after)))
    start, ink = max(0, same - 300), palette.INK[dark]
    return (
        f"<p style='white-space:pre-wrap;overflow-wrap:anywhere;margin:0;color:{ink}'>{'… ' if start else ''}"
        f"{escape(after[start:same])}<b style='border-bottom:2px solid {ink}'>{escape(after[same:])}</b></p>"
    )


with st.container(key="tour_draw"):
    stages.show("7", t("tour.draw", lang), "0 … 1", "", t("tour.draw_says", lang), dark, key="draw")
    many = min(len(options.ids), SHOWN)
    components.chart(
        unit_bar,
        state.entries(tokenizer, options.ids[:many].tolist()),
        options.edges.numpy(),
        step.u if step else None,
        key="tour_draw_bar",
        title=t("tour.draw", lang),
        data=lambda: state.slices(tokenizer, options),
    )
    if step:
        name = state.entries(tokenizer, [step.id])[0]
        p = numbers.percent(state.drawn_with(step))
        said = "wrote" if step.u is not None else "wrote_greedy"
        u = "" if step.u is None else f"{step.u:.3f}"
        st.markdown(state.plain(t(f"tour.{said}", lang, u=u, token=name, p=p)))
    with st.container(horizontal=True, vertical_alignment="center"):
        full = len(steps) >= MOST_STEPS
        st.button(t("app.write_one", lang), type="primary", on_click=write, disabled=full)
        st.button(t("app.roll", lang), on_click=again, disabled=not steps)
        st.button(t("app.undo", lang), on_click=undo, disabled=not steps)
        st.button(t("app.clear", lang), on_click=clear, disabled=not steps)
        st.page_link("views/next_token.py", label=f"{t('app.next_token', lang)} ›")
    if step:
        st.html(written_text(tokenizer.decode(step.ids[:-1]), tokenizer.decode(step.ids)))
    if full:
        st.caption(t("app.written_full", lang, n=MOST_STEPS))

components.look_for("tour", lang)
components.show_code(lang, explain, GPT1.forward, distribution, Distribution.pick, generate)
