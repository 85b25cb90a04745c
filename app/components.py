"""What every page is made of: the canvas views in Streamlit, the header, the code of what is drawn."""

import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial, wraps

import numpy as np
import saving
import state
import streamlit as st

from gpt1viz import palette
from gpt1viz.errors import GPT1VizError
from gpt1viz.explain import Explanation
from gpt1viz.text import prose, t
from gpt1viz.views import attention_grid_payload, shown_window, source, token_strip_payload
from gpt1viz.views.payload import KINDS, WINDOW

# Streamlit's captions, notes and hints are paler, smaller or more colourful than the palette allows; what has the focus
# it hardly shows, or not at all; beside a closed sidebar it lays a bar over the title.
STYLE = """<style>
.stMainBlockContainer {{ max-width: 1180px; padding: 24px 24px 32px }}
.stSidebar hr {{ margin: 8px 0 }}
[data-testid=stCaptionContainer], [data-testid=stCaptionContainer] * {{ color: {secondary}; opacity: 1 }}
[data-testid=stCaptionContainer] code {{ font-size: 13px }}
.stAlertContainer:has([data-testid=stAlertContentInfo]) {{ background: {panel}; color: {ink} }}
[data-testid=InputInstructions] {{ display: none }}
.stButtonGroup [data-selected=true] * {{ color: {link} }}
[data-testid=stBaseButton-tertiary] {{ justify-content: flex-start; text-align: left }}
[data-testid=stSliderThumbValue] * {{ color: {link} }}
.stCheckbox label > span + div {{ box-shadow: 0 0 0 1px {border} }}
.stTooltipIcon button:not([kind]) {{ min-width: 24px; min-height: 24px }}
.st-key-lines button [data-testid=stMarkdownContainer] {{ position: absolute; clip-path: inset(50%) }}
.st-key-lines button::before {{ content: "↵"; content: "↵" / "" }}
[data-testid=stSidebar][data-collapsed=true] {{ visibility: hidden }}
.stApp:has([data-testid=stExpandSidebarButton]) .stMainBlockContainer {{ padding-top: 64px }}
:focus-visible, div:has(> :is(input, textarea):focus-visible), div:has(> * > input[type=range]:focus-visible),
label:has(input:focus-visible) {{ outline: 2px solid {ink} !important; outline-offset: 1px; box-shadow: none }}
main:focus-visible {{ outline-offset: -2px }}
:is(input, textarea):focus-visible {{ outline: none !important }}
</style>"""

_grid = st.components.v2.component("attention_grid", js=source("attention_grid", "streamlit"))
_strip = st.components.v2.component("token_strip", js=source("token_strip", "streamlit"))
# The address follows what is shown, without an entry in the browser's history; so do the page's language and the names
# of drawings, which Streamlit leaves out.
_link = st.components.v2.component(
    "copy_link",
    html="<div aria-live='polite'><button type='button'></button></div>",
    css="""div { text-align: right }
        button { font: inherit; font-size: 14px; color: var(--st-link-color); background: none; cursor: pointer;
        border: 1px solid var(--st-border-color); border-radius: 4px; padding: 4px 12px; min-height: 32px;
        white-space: nowrap }
        button:focus-visible { outline: 2px solid var(--st-text-color); outline-offset: 1px }""",
    js="""
export default function ({ data, parentElement }) {
  document.documentElement.lang = data.lang;
  const url = new URL(window.location.href);
  for (const [name, value] of Object.entries(data.link)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.href !== window.location.href) window.history.replaceState(window.history.state, "", url);
  for (const [name, title] of Object.entries(data.drawings)) {
    const drawing = document.querySelector(`.st-key-drawing_${name}`);
    if (!drawing || drawing.ariaLabel === title) continue;
    drawing.role = "figure";
    drawing.ariaLabel = title;
  }
  const button = parentElement.querySelector("button");
  button.textContent = data.label;
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(window.location.href);
      button.textContent = data.copied;
    } catch {
      button.textContent = data.failed;
    }
  };
}
""",
)


@contextmanager
def frame(name: str, lang: str) -> Iterator[None]:
    """Title, the page's question and Copy link around a page; `name` is the key of the page's strings."""
    i = int(dark())
    saving.begin()
    roles = ("secondary", "panel", "ink", "link", "border")
    st.html(STYLE.format(**{role: getattr(palette, role.upper())[i] for role in roles}))
    title, corner = st.columns([5, 1], vertical_alignment="center")
    title.title(t(f"app.{name}", lang), anchor=False)
    title.caption(t(f"app.{name.removesuffix('_token')}_question", lang))
    with careful(lang), suppress(state.NothingToShow):
        yield
    with careful(lang):
        saving.panel(lang, dark())
    link = state.link()  # by now it is settled
    copied = "copied_without" if link.get("text", "") is None else "copied"
    words = {"label": "copy_link", "copied": copied, "failed": "copy_failed"}
    data = {"lang": "zh-CN" if lang == "zh" else "en", "link": link, "page": name}  # a new page is a new address
    data["drawings"] = {key: drawn.title for key, drawn in st.session_state.drawings.items()}
    with corner:
        _link(data=data | {k: t(f"app.{v}", lang) for k, v in words.items()}, key="link")


@contextmanager
def careful(lang: str) -> Iterator[None]:
    """Whatever fails inside becomes a sentence, with details on click; what stands outside goes on."""
    try:
        yield
    except GPT1VizError as error:
        st.error(state.plain(error.message(lang)))
    except Exception:
        st.error(t("app.went_wrong", lang))
        with st.expander(t("app.details", lang)):
            st.code(traceback.format_exc(), language=None)


def _careful(draw: Callable) -> Callable:
    """A drawing that fails leaves a sentence in its place."""

    @wraps(draw)
    def drawn(*args, **options) -> None:
        with careful(st.session_state.lang):
            draw(*args, **options)

    return drawn


@_careful
def token_strip(
    explanation: Explanation,
    lang: str,
    by: str,
    focus: int,
    weights: np.ndarray | None = None,
    *,
    key: str = "strip",
    title: str = "",
    place: Sequence[int] | None = None,
) -> None:
    """The text as chips coloured by `by`; a click moves the focus. `weights` (T, S) show where the focus looks.

    A second strip on a page has a `key` and a `title` of its own, and where its positions are not the page's, `place`
    gives for each the one that becomes the focus.
    """
    n, shown = len(explanation.tokens), None
    if weights is not None and n > WINDOW:
        part = shown_window(n, focus, st.session_state.get("window"))
        shown = (part.start, part.stop)
    if weights is not None and by == "attention":
        values = weights[focus]
    else:
        values = getattr(explanation, by).astype(np.float32)
        if by == "rank":
            values[0] = np.nan
    payload = token_strip_payload(
        explanation.tokens,
        values,
        kind=by,
        focus=focus,
        attention=weights,
        lang=lang,
        window=shown,
    )
    columns = {"position": range(n), "token": [piece.text for piece in explanation.tokens]}
    columns |= {"id": explanation.ids, by: values}
    with saving.drawing(key, title or t("saving.strip", lang), lambda: columns):
        _strip(data=payload, key=key, on_pick_change=partial(_focus_picked, key, place))


@_careful
def written_strip(tokens: list, probabilities: np.ndarray, lang: str, focus: int | None) -> None:
    """The tokens written by the model, coloured by the probability each was drawn with."""
    payload = token_strip_payload(tokens, probabilities, kind="probability", focus=focus, lang=lang)
    columns = {"token": [piece.text for piece in tokens], "id": [piece.id for piece in tokens]}
    columns |= {"probability": probabilities}
    with saving.drawing("written", t("saving.written", lang), lambda: columns):
        _strip(data=payload, key="written", on_pick_change=_step_picked)


@_careful
def attention_grid(
    explanation: Explanation,
    lang: str,
    layer: int,
    head: int,
    cell: tuple[int, int],
    *,
    key: str = "grid",
    title: str = "",
    place: Sequence[int] | None = None,
) -> None:
    """All heads as tiles and the chosen one large; a click picks a head or locks a cell.

    `key`, `title` and `place` are as in `token_strip`.
    """
    payload = attention_grid_payload(
        explanation.weights,
        explanation.tokens,
        focus=(layer, head),
        cell=cell,
        scores=explanation.scores(layer, head),
        raw_scores=explanation.products(layer, head),
        causal=explanation.causal,
        lang=lang,
        window=st.session_state.get("window"),
    )

    title = title or t("saving.grid", lang, layer=layer, head=head)
    data = partial(saving.matrix, explanation.tokens, explanation.weights[layer, head])
    with saving.drawing(key, title, data, ("png",)):
        _grid(data=payload, key=key, on_pick_change=partial(_cell_picked, key, place))


def _at(position: int, place: Sequence[int] | None) -> int:
    return position if place is None else int(place[min(position, len(place) - 1)])


def _focus_picked(key: str, place: Sequence[int] | None) -> None:
    pick = st.session_state[key].pick
    if pick and pick.get("focus") is not None:
        st.session_state.pos = _at(int(pick["focus"]), place)
        st.session_state.window = None
        st.session_state.locked = False


def _step_picked() -> None:
    pick = st.session_state.written.pick
    if pick:
        st.session_state.step = pick.get("focus")


def _cell_picked(key: str, place: Sequence[int] | None) -> None:
    pick = st.session_state[key].pick
    if not pick:
        return
    if "layer" in pick:
        st.session_state.layer, st.session_state.head = int(pick["layer"]), int(pick["head"])
    if pick.get("query") is not None:
        st.session_state.pos, st.session_state.key = (_at(int(pick[name]), place) for name in ("query", "key"))
    st.session_state.locked = pick.get("query") is not None
    st.session_state.window = pick.get("window")


def chosen_colour(default: str) -> str:
    """What colours the token strip, before its box is drawn."""
    return st.session_state.get(f"by_{default}", default)


def colour_by(lang: str, default: str, kinds: tuple[str, ...] = KINDS) -> None:
    """The box that says what colours the token strip."""
    st.selectbox(
        t("app.colour_by", lang),
        kinds,
        index=kinds.index(default),
        format_func=lambda kind: t(f"app.by_{kind}", lang),
        key=f"by_{default}",
        persist_state="session",
        width=152,
    )


@_careful
def chart(
    draw: Callable,
    *args,
    key: str,
    title: str = "",
    data: Callable[[], saving.Columns] | None = None,
    on_pick: Callable[[int], None] | None = None,
    **options,
) -> None:
    """A plotly figure of gpt1viz.figures in the page's theme, which can be saved at the page's end.

    Args:
        draw, args, options: the figure's function and what it takes.
        key: letters, digits and _, one of its kind on the page.
        title: what the reader calls the drawing, in the page's language.
        data: gives the columns of its CSV file ({name: values}); called when the reader asks for the file.
        on_pick: called with the index of a point that was clicked; heatmaps and bars have none.
    """

    def picked() -> None:
        points = st.session_state[key]["selection"]["points"]
        if points and on_pick is not None:
            on_pick(int(points[0]["point_index"]))

    lang = st.session_state.lang
    figure = draw(*args, lang=lang, dark=dark(), **options)
    title = title or t("saving.drawing", lang, n=len(st.session_state.get("drawings", ())) + 1)
    with saving.drawing(key, title, data):
        clicks = {"on_select": picked, "selection_mode": "points"} if on_pick else {}
        st.plotly_chart(figure, theme=None, key=key, config={"displayModeBar": False}, **clicks)


def look_for(name: str, lang: str) -> None:
    """Two sentences on what to look for, the rest behind a click."""
    st.markdown(f"**{t('app.look_for', lang)}** · {t(f'app.{name}_look', lang)}")
    with st.expander(t("app.more", lang)):
        st.markdown(prose(name, lang))


def show_code(lang: str, *functions: Callable) -> None:
    """The source of the functions that computed what is drawn, read from the running program once it is asked for."""
    first = functions[0]
    key = f"code_{first.__module__}.{first.__qualname__}"  # a page may show more than one lot
    chosen = st.expander(t("app.show_code", lang), key=key, on_change="rerun")
    if not chosen.open:
        return
    with chosen:
        for function in functions:
            st.caption(f"`{function.__module__}.{function.__qualname__}`")
            st.code(inspect.getsource(function), language="python")


def dark() -> bool:
    """Whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"
