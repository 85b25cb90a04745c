"""Inside: what patching and attribution measure. The reader chooses tokens A and B, and which number of theirs."""

from collections.abc import Sequence
from dataclasses import dataclass

import state
import streamlit as st
from state import Study

from gpt1viz.analysis.target import Target
from gpt1viz.figures import numbers
from gpt1viz.text import t
from gpt1viz.text.tokens import label
from gpt1viz.tokenizer import Tokenizer

KINDS = ("difference", "log_probability", "logit")
LONG = 1e12  # operations from which the reader is asked before they begin


@dataclass(frozen=True)
class Choice:
    """A target and how people call it: the number, its unit, the two tokens ("" for no second one)."""

    target: Target
    name: str
    unit: str
    a: str
    b: str


def place(study: Study) -> int:
    """Where the next token is attributed: after the focus; without a mask after the last token, which all see."""
    return study.focus if study.explanation.causal else len(study.explanation.tokens) - 1


def choose(study: Study, lang: str, position: int, kinds: Sequence[str] = KINDS) -> Choice:
    """The boxes for A, B and the number; at first the two most probable tokens after `position`."""
    tokenizer, kind = study.loaded.tokenizer, kinds[0]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if len(kinds) > 1:
            state.asked("measure", kind, state.one_of(kinds))
            kind = st.selectbox(
                t("causes.measure", lang),
                kinds,
                format_func=lambda name: t(f"causes.measure_{name}", lang),
                key="measure",
                persist_state="session",
                width=216,
            )
            state.also_link(measure=None if kind == kinds[0] else kind)
        a = _box(study, lang, position, "token_a", "")
        b = _box(study, lang, position, "token_b", a) if kind == "difference" else ""
        if len(kinds) == 1:
            st.button("⇄", help=t("causes.swap", lang), key="swap", on_click=_swap, args=(a, b))
    for name in ("token_a", "token_b"):
        if odd := st.session_state.pop(f"odd_{name}", ""):
            st.caption(t("causes.not_a_token", lang, word=state.plain(odd[:40])))
    target = Target(kind, tokenizer.vocab[a], tokenizer.vocab[b] if b else None)
    shown_a, shown_b = (_shown(tokenizer, entry) if entry else "" for entry in (a, b))
    unit = t(f"causes.unit_{'nats' if kind == 'log_probability' else 'logits'}", lang)
    return Choice(target, t(f"causes.name_{kind}", lang, a=shown_a, b=shown_b), unit, shown_a, shown_b)


def _box(study: Study, lang: str, position: int, name: str, taken: str) -> str:
    """A box of the most probable tokens, into which others can be typed; the chosen vocabulary entry."""
    tokenizer, plain = study.loaded.tokenizer, study.explanation
    probable = [piece.entry for piece in tokenizer.pieces(plain.next_ids[position].tolist())]
    shares = dict(zip(probable, plain.next_probability[position].tolist(), strict=True))
    usual = next((entry for entry in probable if entry != taken), probable[0])
    if name in st.query_params and name not in st.session_state:
        state.asked(name, usual, state.one_of(tokenizer.vocab))
    chosen = st.session_state.get(name)
    chosen = chosen if chosen in tokenizer.vocab else None
    st.session_state[name] = chosen
    state.also_link(**{name: chosen})
    entry = chosen or usual
    options = list(dict.fromkeys([*probable, entry]))
    st.session_state[f"box_{name}"] = entry
    st.selectbox(
        t(f"causes.{name}", lang),
        options,
        format_func=lambda entry: _option(tokenizer, entry, shares),
        key=f"box_{name}",
        accept_new_options=True,
        on_change=_picked,
        args=(name, tokenizer, options),
        help=t("causes.token_help", lang),
        width=180,
    )
    return entry


def _swap(a: str, b: str) -> None:
    st.session_state.update(token_a=b, token_b=a)


def _picked(name: str, tokenizer: Tokenizer, options: list[str]) -> None:
    typed = st.session_state[f"box_{name}"] or ""
    if typed in options:
        st.session_state[name] = typed
        return
    pieces = tokenizer.tokenize(typed)
    if len(pieces) == 1 and not pieces[0].unknown:
        st.session_state[name] = pieces[0].entry
    else:
        st.session_state[f"odd_{name}"] = typed


def _shown(tokenizer: Tokenizer, entry: str) -> str:
    return label(tokenizer.pieces([tokenizer.vocab[entry]])[0])


def _option(tokenizer: Tokenizer, entry: str, shares: dict[str, float]) -> str:
    if entry not in tokenizer.vocab:  # being typed
        return entry
    share = f"  {numbers.percent(shares[entry])}" if entry in shares else ""
    return f"{_shown(tokenizer, entry)}{share}"
