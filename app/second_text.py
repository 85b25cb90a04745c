"""Inside: the second text for patching, with the same number of tokens; at first the text with one word replaced."""

import computing
import models
import numpy as np
import state
import streamlit as st
import torch
from state import Study

from gpt1viz.linear import last_position
from gpt1viz.text import strings, t
from gpt1viz.tokenizer import Piece
from gpt1viz.views import shown_window

CANDIDATES = 8  # words tried
LETTERS = 3  # the fewest of a word to replace, or to put there


def box(study: Study, lang: str) -> str:
    """The box of the second text. What the reader typed stays; what was made follows the first text."""
    text, session = study.explanation.text, st.session_state
    made = suggested(study.model_id, study.stamp, text)
    if "second" not in session:
        session.second = st.query_params.get("second", made)[: state.MOST_CHARACTERS]
    elif session.second == session.get("second_made"):
        session.second = made
    session.second_made = made
    settings = {"key": "second", "max_chars": state.MOST_CHARACTERS, "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if "\n" in session.second:
            second = st.text_area(t("causes.second", lang), height=104, **settings)
        else:
            second = st.text_input(t("causes.second", lang), live="300ms", **settings)
        st.button(
            t("causes.make", lang),
            help=t("causes.make_help", lang),
            on_click=_use,
            args=(made,),
            disabled=made == text,  # no word to replace
        )
        with st.popover(t("causes.pairs", lang), width="content"):
            _pairs(lang)
    state.also_link(second=second if second != made and len(second) <= state.LINK_CHARACTERS else None)
    return second


def _use(second: str) -> None:
    st.session_state.second = second


def _pairs(lang: str) -> None:
    """Pairs of texts of the same length, and the two next words to compare."""
    for name, pair in strings("pairs", "en").items():
        one, other, a, b = pair.split("|")
        gloss = "" if lang == "en" else f"  \n{state.plain(strings('pairs', lang)[name])}"
        label = f"{state.plain(one)}  \n{state.plain(other)}{gloss}"
        st.button(label, key=f"pair_{name}", on_click=_use_pair, args=(one, other, a, b), type="tertiary")


def _use_pair(one: str, other: str, a: str, b: str) -> None:
    st.session_state.update(text=one, second=other, token_a=f"{a}</w>", token_b=f"{b}</w>", measure="difference")


@st.cache_data(max_entries=64, show_spinner=False)
def suggested(model_id: str, stamp: float, text: str) -> str:
    """The text with one word replaced by another that the model expected there.

    Of the words that surprised the model most, the one whose replacement moves the most probable next token's
    log-probability furthest. The text itself if no word can be replaced without changing the number of tokens.
    """
    model, tokenizer, *_ = models.load(model_id, stamp)
    plain, config = models.explained(model_id, stamp, text), model.config
    n, tokens = len(plain.tokens), plain.tokens
    words = [i for i in range(1, n) if tokens[i - 1].word_end and _is_word(tokens[i])]
    words = [i for i in words if i < n - 1] or words
    shown = range(n)[shown_window(n, n - 1)]  # in a long text the map shows its end
    words = [i for i in words if i in shown] or words
    affordable = computing.QUICK / (config.n_layer * computing.passes(config, n))
    most = int(np.clip(affordable, 1, CANDIDATES))
    found: list[tuple[str, np.ndarray]] = []
    for i in sorted(words, key=lambda i: -plain.surprisal[i])[:CANDIDATES]:
        for piece in tokenizer.pieces(plain.next_ids[i - 1].tolist()):
            ids = plain.ids.copy()
            ids[i] = piece.id
            new = text[: tokens[i].start] + piece.text + text[tokens[i].end :]
            if piece.id != plain.ids[i] and _is_word(piece) and tokenizer.encode(new)[:n] == ids.tolist():
                found.append((new, ids))
                break
        if len(found) == most:
            break
    if len(found) < 2:
        return found[0][0] if found else text
    batch = torch.from_numpy(np.stack([plain.ids, *(ids for _, ids in found)])).to(model.device)
    with torch.inference_mode():
        last = model(batch, head=last_position).logits[:, 0, : config.n_vocab]  # (N+1, V)
        log_p = last.log_softmax(-1)[:, int(plain.next_ids[-1, 0])]
    return found[int((log_p[1:] - log_p[0]).abs().argmax())][0]


def _is_word(piece: Piece) -> bool:
    """Whether a token ends a word of a few letters; with the end of a word before it, it is one."""
    return piece.word_end and piece.text.isalpha() and len(piece.text) >= LETTERS
