"""Tokens: cleaning, words, merges, ids, and what the usual libraries would have fed the model."""

from itertools import pairwise

import components
import saving
import state
import streamlit as st
import token_panels as panels

from gpt1viz import checkpoints, formats
from gpt1viz.other_splitter import Stretch, compare, other_pieces
from gpt1viz.text import t
from gpt1viz.text.tokens import visible
from gpt1viz.tokenizer import Steps, Tokenizer
from gpt1viz.words import CLEANING, split

WORDS, STRETCHES = 60, 80  # shown, around the chosen word
OPENAI = "openai-gpt"

lang, dark = st.session_state.lang, components.dark()
study = state.study()
plain = study.explanation


@st.cache_resource(max_entries=2, show_spinner=False)
def vocabulary_at(location: str) -> Tokenizer:
    """A checkpoint's vocabulary without its weights, which may be large."""
    return formats.read_tokenizer(locations[location])


@st.cache_resource(max_entries=4, show_spinner=False)
def steps_of(vocabulary: tuple[str, float], text: str, _tokenizer: Tokenizer) -> tuple[Steps, list[Stretch]]:
    """The way of a text to ids in a vocabulary, and both splittings side by side."""
    return _tokenizer.show_steps(text), compare(_tokenizer, text)


components.token_strip(plain, lang, components.chosen_colour("rank"), study.focus)
known = {entry.id: entry for entry in checkpoints.available()}
locations = {str(entry.location): entry.location for entry in known.values()}
offered = [id for id in dict.fromkeys((study.model_id, state.BUNDLED, OPENAI)) if id in known]
if state.asked("vocabulary", study.model_id, state.one_of(offered)) not in offered:
    st.session_state.vocabulary = study.model_id
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    components.colour_by(lang, "rank", components.KINDS[:-1])
    state.index_box("pos", t("app.position", lang), len(plain.tokens))
    chosen = st.selectbox(
        t("tokens.vocabulary", lang),
        offered,
        format_func=lambda id: known[id].name,
        key="vocabulary",
        persist_state="session",
        help=t("tokens.vocabulary_help", lang),
        width=240,
    )
state.also_link(vocabulary=None if chosen == study.model_id else chosen)
if OPENAI not in known:
    st.caption(t("tokens.get_2018", lang))
own = chosen == study.model_id
tokenizer = study.loaded.tokenizer if own else vocabulary_at(str(known[chosen].location))
steps, both = steps_of((chosen, study.stamp if own else 0.0), plain.text, tokenizer)

# The focus token chooses the word: words are the same in every vocabulary.
nth = sum(piece.word_end for piece in plain.tokens[: study.focus])
word = steps.words[nth]


def window(n: int, most: int, centre: int) -> slice:
    """At most `most` of n around `centre`; a sentence says so where something is left out."""
    first = max(0, min(centre - most // 2, n - most))
    if n > most:
        st.caption(t("tokens.window", lang, first=first, last=first + most - 1, n=f"{n:,}"))
    return slice(first, first + most)


with components.careful(lang):
    st.header(t("tokens.cleaning", lang), anchor=False)
    st.caption(t("tokens.cleaning_caption", lang, n=panels.MOST))
    rows = [(t("tokens.typed", lang), "", steps.texts[0][1])]
    rows += [(t(f"tokens.step_{name}", lang), before, after) for (_, before), (name, after) in pairwise(steps.texts)]
    st.html(panels.page(panels.cleaning(rows, t("tokens.unchanged", lang)), dark))

with components.careful(lang):
    st.header(t("tokens.words", lang), anchor=False)
    st.caption(t("tokens.words_caption", lang))
    shown = window(len(steps.words), WORDS, nth)
    st.html(panels.page(panels.words(steps.words[shown], nth - shown.start), dark))

with components.careful(lang):
    name = state.plain(panels.shortened(visible(word.word)))
    st.header(t("tokens.merges", lang, word=name), anchor=False)
    n, total = len(word.merges), f"{len(tokenizer.merges):,}"
    place = (chosen, plain.text, nth)
    if st.session_state.setdefault("merges_of", place) != place:
        st.session_state.update(merges_of=place, merge=n)
    done = state.index("merge", n + 1, n)
    if n:
        done = st.slider(t("tokens.done", lang), 0, n, key="merge", persist_state="session")
    state.also_link(merge=str(done) if done < n else None)
    if not n:
        st.markdown(t("tokens.no_merges", lang))
    elif not done:
        st.markdown(t("tokens.no_merge_yet", lang, n=n))
    else:
        merge = word.merges[done - 1]
        joined = {"left": state.plain(visible(merge.left)), "right": state.plain(visible(merge.right))}
        st.markdown(t("tokens.merge", lang, i=done, n=n, rank=f"{merge.rank + 1:,}", total=total, **joined))
    labels = [t("tokens.start", lang), *(t("tokens.row", lang, rank=f"{m.rank + 1:,}") for m in word.merges)]
    st.html(panels.page(panels.merges(word, done, labels), dark))
    st.caption(t("tokens.merges_caption", lang))
    st.markdown(f"**{t('tokens.ids', lang)}**")
    st.html(panels.page(panels.entries(word), dark))

with components.careful(lang):
    st.header(t("tokens.other", lang), anchor=False)
    st.caption(t("tokens.other_caption", lang))
    ours, theirs = ([piece for stretch in both for piece in stretch[side]] for side in (0, 1))
    unknown = [sum(piece.unknown for piece in side) for side in (ours, theirs)]
    counts = {
        "ours": f"{len(ours):,}",
        "theirs": f"{len(theirs):,}",
        "unknown": unknown[0],
        "unknown_theirs": unknown[1],
    }
    different = sum(not stretch.same for stretch in both)
    st.markdown(t("tokens.counts" if different else "tokens.counts_same", lang, n=different, **counts))
    centre = next((i for i, s in enumerate(both) if s.ours and s.ours[-1].end > plain.tokens[study.focus].start), 0)
    shown = window(len(both), STRETCHES, centre)
    columns = {
        "stretch": [i for i, s in enumerate(both) for side in s for _ in side],
        "splitter": [name for s in both for name, side in zip(("2018", "bert"), s, strict=True) for _ in side],
        "token": [piece.text for s in both for side in s for piece in side],
        "entry": [piece.entry for s in both for side in s for piece in side],
        "id": [piece.id for s in both for side in s for piece in side],
    }
    with saving.drawing("comparison", t("tokens.other", lang), lambda: columns, ()):
        st.html(panels.page(panels.stretches(both[shown], t("tokens.nothing", lang)), dark))
    st.caption(t("tokens.other_legend", lang))

components.look_for("tokens", lang)
components.show_code(lang, *(step for _, step in CLEANING[:2]), split, Tokenizer.show_steps, other_pieces, compare)
