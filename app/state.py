"""What the pages share: language, model, text, focus, settings. The query string seeds them: a link reopens a view.

Streamlit could bind widgets to the query string itself, but it binds select boxes to their labels, which change with
the language, and adds to the browser's history. So the values are read here, and components.py puts `link()` into the
address.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import models
import numpy as np
import streamlit as st
import torch

from gpt1viz.analysis.ablation import next_probabilities
from gpt1viz.checkpoints import Loaded
from gpt1viz.errors import GPT1VizError
from gpt1viz.explain import Explanation
from gpt1viz.generate import Step
from gpt1viz.sampling import Distribution
from gpt1viz.text import LANGUAGES, strings, t
from gpt1viz.text.tokens import harmless
from gpt1viz.trace import Edits
from gpt1viz.views.payload import label

MOST_CHARACTERS = 10_000
MOST_SEED = 999_999
LINK_CHARACTERS = 1_000  # longer texts stay out of the link
SETTINGS = {"lifted": False, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "greedy": False, "seed": 0}  # as they begin
BUNDLED = "storybook"
# What Streamlit replaces even where it is escaped (addresses, icons, arrows): an invisible U+2060 inside prevents it.
_REPLACED = re.compile(
    r"www(?=\.)|:(?=//|material/|streamlit:)|@(?=\w)|(?<!\S)[<>~-](?=(->|[>=-])(?!\S))", re.IGNORECASE
)
_LIST_MARK = re.compile(r"^(\s*\d*)([-+.)])")


class NothingToShow(Exception):
    """Ends a page early. (After st.stop() not even the link could be written.)"""


@dataclass(frozen=True)
class Study:
    """What a page looks at: the model, the text and everything computed from the two."""

    lang: str
    model_id: str
    stamp: float
    loaded: Loaded
    explanation: Explanation
    focus: int


def choose_language() -> str:
    """The sidebar's language box; "en" or "zh"."""
    asked("lang", "en", one_of(LANGUAGES))
    label = t("app.language", st.session_state.lang)
    return st.sidebar.selectbox(label, [*LANGUAGES], format_func=LANGUAGES.__getitem__, key="lang")


def carry(page: str) -> None:
    """Takes text, focus and settings along to another page: Streamlit forgets those that were set in its last run."""
    if st.session_state.setdefault("page", page) != page:
        st.session_state.page = page
        for name in ("text", "layer", "head", "pos", "key", "u", *SETTINGS):
            if name in st.session_state:
                st.session_state[name] = st.session_state[name]
        st.session_state.linked = dict.fromkeys(st.session_state.get("linked", ()))


def also_link(**parts: str | None) -> None:
    """What else the address says while this page is shown; None for what is as usual."""
    st.session_state.setdefault("linked", {}).update(parts)


def choose_model() -> None:
    """The sidebar's model box with the model's card; `study` reads the choice."""
    lang = st.session_state.lang
    wanted = st.session_state.setdefault("model", st.query_params.get("model", BUNDLED))
    entries = models.offered(wanted, lang)
    if wanted not in entries:
        st.warning(t("app.model_missing", lang, model=plain(wanted[:60]), other=BUNDLED))
        st.session_state.model = BUNDLED
    with st.sidebar:
        chosen = st.selectbox(t("app.model", lang), [*entries], format_func=entries.__getitem__, key="model")
    try:
        config = load(chosen, lang).model.config
    except GPT1VizError as error:
        chosen = st.session_state.get("usable_model", BUNDLED)
        chosen = chosen if chosen in entries else BUNDLED
        st.error(t("app.cannot_load", lang, fault=plain(error.message(lang)), model=plain(entries[chosen])))
        config = load(chosen, lang).model.config
    st.session_state.usable_model = chosen
    with st.sidebar:
        shape = {"layers": config.n_layer, "heads": config.n_head, "n_ctx": config.n_ctx}
        st.caption(t("app.model_card", lang, n=f"{config.n_params:,}", **shape))
        if "openai-gpt" not in entries:
            st.caption(t("app.model_get", lang))


def link() -> dict[str, str | None]:
    """What the address says; None takes a name out of it, names that are missing here stay as they are."""
    session = st.session_state
    parts = {"lang": session.lang, "model": session.usable_model}
    short = len(session.get("text", "")) <= LINK_CHARACTERS
    if "text" in session:
        parts["text"] = session.text if short else None
    for name in ("layer", "head", "pos", "key", *SETTINGS):
        if name in session:
            usual = session[name] == SETTINGS.get(name) or (name == "key" and not session.locked)
            kept = not usual and (short or name not in ("pos", "key"))
            parts[name] = str(session[name]).lower() if kept else None
    return session.get("linked", {}) | parts


def load(model_id: str, lang: str) -> Loaded:
    """The model, shared by all sessions and never changed."""
    with st.spinner(t("app.loading", lang, name=model_id)):
        return models.load(model_id, models.stamp(model_id))


def chosen_model(lang: str) -> tuple[str, float, Loaded]:
    """The sidebar's model: id, when it last changed, and itself."""
    model_id = st.session_state.usable_model
    return model_id, models.stamp(model_id), load(model_id, lang)


def lifted(study: Study) -> Explanation:
    """The same text with the mask lifted."""
    return models.explained(study.model_id, study.stamp, study.explanation.text, lifted=True)


def study() -> Study:
    """The text box, and what the model makes of the text.

    Raises:
        NothingToShow: there is no text; a sentence has said what to do.
    """
    lang, model_id = st.session_state.lang, st.session_state.usable_model
    text = text_box(lang)
    if not text.strip():
        st.info(t("app.empty", lang))
        text = st.session_state.get("studied", (None, ""))[1]
        if not text:
            raise NothingToShow
        st.caption(t("app.still", lang))
    stamp = models.stamp(model_id)
    loaded = load(model_id, lang)
    try:
        explanation = models.explained(model_id, stamp, text)
    except GPT1VizError as error:
        st.info(plain(error.message(lang)) if error.code != "no_tokens" else t("app.no_tokens_in_text", lang))
        raise NothingToShow from error
    n = len(explanation.tokens)
    if n < explanation.n_typed:
        st.caption(t("app.cut", lang, n=n, m=explanation.n_typed))
    if unknown := sum(piece.unknown for piece in explanation.tokens):
        st.warning(t("app.unknown_one" if unknown == 1 else "app.unknown", lang, n=unknown))
        if unknown > n / 2:
            st.caption(t("app.unknown_try", lang))
            with st.container(horizontal=True, gap="small"):
                _example_buttons(lang, "offered", 3)
    new = (model_id, text) != st.session_state.get("studied", (model_id, text))
    st.session_state.studied = (model_id, text)
    if new:
        st.session_state.update(pos=n - 1, locked=False, window=None)
    return Study(lang, model_id, stamp, loaded, explanation, index("pos", n, n - 1))


def asked(name: str, default, read: Callable[[str], object]):
    """A value that the link may carry. `read` raises ValueError for what cannot be, which falls back aloud."""
    if name not in st.session_state:
        wanted, value = st.query_params.get(name), default
        try:
            value = default if wanted is None else read(wanted)
        except ValueError:
            lang = st.session_state.get("lang", "en")
            st.warning(t("app.value_missing", lang, name=name, value=plain(wanted[:20]), other=default))
        st.session_state[name] = value
    return st.session_state[name]


def between(low: float, high: float, kind: type = int) -> Callable[[str], float]:
    """Reads a number from low to high."""

    def read(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def one_of(values: Iterable) -> Callable[[str], object]:
    """Reads one of some values, as `link` writes them."""
    known = {str(value).lower(): value for value in values}

    def read(text: str):
        if text not in known:
            raise ValueError(text)
        return known[text]

    return read


def index(name: str, n: int, default: int) -> int:
    """An index below n that the link carries."""
    if not 0 <= asked(name, default, between(0, n - 1)) < n:
        st.session_state[name] = default
    return st.session_state[name]


def index_box(name: str, label: str, n: int, on_change=None) -> int:
    """A number box for an index that `index` has settled."""
    return st.number_input(
        label, 0, n - 1, step=1, key=name, persist_state="session", on_change=on_change or "rerun", width=96
    )


def choice(name: str, label: str, values: Iterable[str], say: Callable[[str], str], **look) -> str:
    """Buttons for one of some values, at first the first of them; the link carries any other."""
    values = [*values]
    asked(name, values[0], one_of(values))
    chosen = st.segmented_control(
        label, values, format_func=say, key=name, required=True, persist_state="session", **look
    )
    also_link(**{name: None if chosen == values[0] else chosen})
    return chosen


def text_box(lang: str) -> str:
    examples = strings("examples", "en")
    if "text" not in st.session_state:
        st.session_state.text = st.query_params.get("text", examples["rabbit"])[:MOST_CHARACTERS]
    many = st.session_state.get("many_lines", False) or "\n" in st.session_state.text
    settings = {"key": "text", "max_chars": MOST_CHARACTERS, "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if many:
            text = st.text_area(t("app.text", lang), height=104, **settings)
        else:
            text = st.text_input(t("app.text", lang), live="300ms", **settings)
        press = {"on_click": _toggle_lines, "args": (many, text)}
        lines = t("app.lines", lang)  # for those who hear it; what is seen is ↵
        st.button(lines, help=lines, key="lines", **press)
        with st.popover(t("app.examples", lang), width="content"):
            _example_buttons(lang, "example")
    return text


def _example_buttons(lang: str, key: str, most: int | None = None) -> None:
    """One button an English example, with its gloss where the language is another."""
    for name, example in list(strings("examples", "en").items())[:most]:
        gloss = "" if lang == "en" else f"  \n{plain(strings('examples', lang)[name])}"
        st.button(plain(example) + gloss, key=f"{key}_{name}", on_click=_use, args=(example,), type="tertiary")


def _toggle_lines(many: bool, text: str) -> None:
    st.session_state.many_lines = not many
    st.session_state.text = text.replace("\n", " ") if many else text


def _use(example: str) -> None:
    st.session_state.text = example


def plain(text: str) -> str:
    """Text that Streamlit's markdown shows as it is, on one line: no link, list, icon or arrow is made of it."""
    text = _REPLACED.sub("\\g<0>\u2060", harmless(text))
    text = "".join(f"\\{c}" if c in "\\`*_[]<>#$~:|&" else c for c in text)
    return _LIST_MARK.sub(r"\1\\\2", text)


def token_text(study: Study, position: int) -> str:
    """The token at a position as people see it."""
    return label(study.explanation.tokens[position])


def token_at(study: Study, position: int) -> str:
    """The token at a position in quotes, with the position."""
    return t("app.token_at", study.lang, token=token_text(study, position), n=position)


def entries(tokenizer, ids) -> list[str]:
    """Vocabulary entries as people see them."""
    return [label(piece) for piece in tokenizer.pieces([int(i) for i in ids])]


@st.cache_resource(max_entries=64, show_spinner=False)
def _next_logits(model_id: str, stamp: float, ids: tuple[int, ...]) -> torch.Tensor:
    model = models.load(model_id, stamp).model
    with torch.inference_mode():
        logits = model(torch.tensor([ids], device=model.device)).logits[0, -1]
    return logits[: model.config.n_vocab].float().cpu()


@st.cache_data(max_entries=64, show_spinner=False)
def _without_head(model_id: str, stamp: float, text: str, lifted: bool, layer: int, head: int, position: int):
    ids = models.explained(model_id, stamp, text, lifted).ids
    edits = Edits(heads={(layer, head): 0.0}, causal=False if lifted else None)
    return next_probabilities(models.load(model_id, stamp).model, ids, position, edits)


def next_without(study: Study, lifted: bool, layer: int, head: int) -> np.ndarray:
    """Probabilities (V,) of the token after the focus with one head off; the model runs only when this is new."""
    text = study.explanation.text
    return _without_head(study.model_id, study.stamp, text, lifted, layer, head, study.focus)


def next_logits(study: Study, ids: tuple[int, ...]) -> torch.Tensor:
    """Logits (V,) of the token after `ids`; the model runs only when these ids are new."""
    return _next_logits(study.model_id, study.stamp, ids)


def drawn_with(step: Step) -> float:
    """The probability that a written token had when it was chosen."""
    options = step.distribution()
    return float(options.probabilities[options.ids == step.id][0])


def written(study: Study) -> list[Step]:
    """The tokens written after this text, by whichever page; none yet after another text or model."""
    key = (study.model_id, study.stamp, study.explanation.text)
    if st.session_state.get("written_for") != key:
        st.session_state.update(written_for=key, steps=[], step=None)
    return st.session_state.steps


def typed_ids(study: Study) -> list[int]:
    """The ids of the whole text, also of what is beyond the context."""
    plain = study.explanation
    return plain.ids.tolist() if plain.n_typed == len(plain.tokens) else study.loaded.tokenizer.encode(plain.text)


def first_draw(seed: int) -> float:
    """The number that `generate(seed=...)` draws first."""
    return float(torch.rand((), generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def slices(tokenizer, options: Distribution) -> dict:
    """The unit bar's columns: every token that can be drawn, and where its slice ends."""
    n = int(options.keep_p.sum())
    ids, p, ends = (x[:n].numpy() for x in (options.ids, options.probabilities, options.edges))
    return {"token": entries(tokenizer, ids), "id": ids, "probability": p, "slice_end": ends}
