"""What the reader has switched off on the page Inside: a list with Undo and Clear, carried in the link.

"L2H3" is a head, "L2" all heads of a layer.
"""

import re

import state
import streamlit as st

from gpt1viz.config import GPT1Config
from gpt1viz.text import t

MOST = 48  # edits in the list
FORM = re.compile(r"L(\d{1,3})(?:H(\d{1,3}))?")


def active(config: GPT1Config, lang: str) -> list[str]:
    """The edits that fit the model, in the order they were made; a sentence names those that do not."""
    session = st.session_state
    if "edits" not in session:
        session.edits = [name for name in st.query_params.get("edits", "").split(".") if name][:MOST]
    gone = [name for name in session.edits if not fits(name, config)]
    if gone:
        st.warning(t("inside.edits_missing", lang, names=state.plain(", ".join(gone)[:60])))
    session.edits = [*dict.fromkeys(name for name in session.edits if name not in gone)]
    state.also_link(edits=".".join(session.edits) or None)
    return session.edits


def fits(name: str, config: GPT1Config) -> bool:
    """Whether the model has such a head or layer."""
    found = FORM.fullmatch(name)
    return bool(found) and int(found[1]) < config.n_layer and int(found[2] or 0) < config.n_head


def heads(names: list[str], config: GPT1Config) -> tuple[tuple[int, int], ...]:
    """Every (layer, head) that these edits switch off."""
    off = set()
    for name in names:
        layer, head = FORM.fullmatch(name).groups()
        off |= {(int(layer), h) for h in ([int(head)] if head else range(config.n_head))}
    return tuple(sorted(off))


def name_of(layer: int, head: int | None = None) -> str:
    return f"L{layer}" if head is None else f"L{layer}H{head}"


def shown(name: str, lang: str) -> str:
    """An edit in words."""
    layer, head = FORM.fullmatch(name).groups()
    return t("inside.off_layer", lang, layer=layer) if head is None else f"L{layer}·H{head}"


def add(name: str) -> None:
    """Behind the others; nothing once the list is full."""
    if name not in st.session_state.edits and len(st.session_state.edits) < MOST:
        st.session_state.edits = [*st.session_state.edits, name]


def remove(name: str) -> None:
    st.session_state.edits = [other for other in st.session_state.edits if other != name]


def undo() -> None:
    st.session_state.edits = st.session_state.edits[:-1]


def clear() -> None:
    st.session_state.edits = []


def switch(name: str, lang: str, key: str) -> None:
    """A button that switches this head or layer off, or on again."""
    off = name in st.session_state.edits
    label = t("inside.switch_on" if off else "inside.switch_off", lang, what=shown(name, lang))
    full = len(st.session_state.edits) >= MOST and not off
    st.button(label, key=key, on_click=remove if off else add, args=(name,), disabled=full)


def buttons(lang: str, place: str) -> None:
    """Undo and Clear."""
    none = not st.session_state.edits
    with st.container(horizontal=True, gap="small"):
        st.button(t("inside.undo", lang), key=f"undo_{place}", on_click=undo, disabled=none)
        st.button(t("inside.clear", lang), key=f"clear_{place}", on_click=clear, disabled=none)


def sidebar(names: list[str], lang: str) -> None:
    """The active edits, where every tab shows them."""
    with st.sidebar:
        st.markdown(f"**{t('inside.edits', lang)}**")
        if not names:
            st.caption(t("inside.edits_none", lang))
            return
        st.markdown(" · ".join(f"~~{shown(name, lang)}~~" for name in names))
        if len(names) >= MOST:
            st.caption(t("inside.edits_full", lang, n=MOST))
        buttons(lang, "sidebar")
        st.caption(t("inside.edits_where", lang))
