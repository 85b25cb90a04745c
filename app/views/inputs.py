"""Task inputs: how texts and choices become rows of tokens, where the classifier reads, and what it says."""

import re
from dataclasses import replace

import components
import panels
import saving
import state
import streamlit as st
import task_model
import task_rows
import torch

from gpt1viz.inputs import KINDS, TRUNCATIONS, Row, collate, layout
from gpt1viz.model import TaskHead
from gpt1viz.text import strings, t

MOST_CHARACTERS = 2_000  # of one text
MOST_ANSWERS = 6
SHORTEST = 6  # positions that a layout needs
FIELDS = {
    "classification": ("text",),
    "entailment": ("premise", "hypothesis"),
    "similarity": ("a", "b"),
    "choice": ("context", "question"),
    "token": ("text",),
}

lang = st.session_state.lang
model_id, stamp, loaded = state.chosen_model(lang)
model, tokenizer, info, task = loaded
session = st.session_state


# ---- what is typed; the plain names last, the widgets' names ("in_...") live as long as they are drawn


def example(kind: str, number: int, lang: str = "en") -> list[str]:
    return strings("inputs", lang)[f"example_{kind}_{number}"].strip("\n").split("\n")


def use(kind: str, texts: list[str]) -> None:
    session.task_texts[kind] = texts
    for name in [name for name in session if str(name).startswith(f"in_{kind}_")]:
        del session[name]


def more_answers(by: int) -> None:
    texts = session.task_texts["choice"]
    use("choice", [*texts, ""] if by > 0 else texts[:-1])


def choose_kind() -> str:
    """The task box. A model that was fine-tuned brings its own task."""
    fine_tuned = task.kind if task is not None else KINDS[0]
    state.asked("task", fine_tuned, state.one_of(KINDS))
    if session.setdefault("inputs_model", model_id) != model_id:
        session.inputs_model = model_id
        if task is not None:
            session.task = session.in_task = fine_tuned
    session.setdefault("in_task", session.task)
    words = strings("inputs", lang)
    session.task = st.selectbox(
        t("inputs.task", lang), KINDS, format_func=lambda kind: words[f"kind_{kind}"], key="in_task", width=220
    )
    return session.task


def field(kind: str, number: int, label: str) -> str:
    key = f"in_{kind}_{number}"
    session.setdefault(key, session.task_texts[kind][number])
    return st.text_input(label, key=key, max_chars=MOST_CHARACTERS, live="300ms")


def first_texts() -> dict[str, list[str]]:
    """The examples, and for one task what the link says."""
    texts = {kind: example(kind, 1) for kind in KINDS}
    linked = [value for n in range(MOST_ANSWERS + 2) if (value := st.query_params.get(f"x{n}")) is not None]
    kind = session.task
    wanted = (4, MOST_ANSWERS + 2) if kind == "choice" else (len(FIELDS[kind]),) * 2
    if linked and wanted[0] <= len(linked) <= wanted[1]:
        texts[kind] = [text[:MOST_CHARACTERS] for text in linked]
    return texts


with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    kind = choose_kind()
    if "task_texts" not in session:
        session.task_texts = first_texts()
    with st.popover(t("app.examples", lang), width="content"):
        for number in (1, 2):
            chosen = example(kind, number)
            gloss = "" if lang == "en" else f"  \n{state.plain(' / '.join(filter(None, example(kind, number, lang))))}"
            label = state.plain(" / ".join(filter(None, chosen))) + gloss
            st.button(label, key=f"use_{kind}_{number}", on_click=use, args=(kind, chosen), type="tertiary")
st.caption(t(f"inputs.about_{kind}", lang))

names = [t(f"inputs.field_{name}", lang) for name in FIELDS[kind]]
n_answers = len(session.task_texts[kind]) - len(names)
names += [t("inputs.field_answer", lang, n=n + 1) for n in range(n_answers)]
texts = []
for start in range(0, len(names), 2):
    pair = names[start : start + 2]
    for number, column in enumerate(st.columns(len(pair), gap="medium"), start):
        with column:
            texts.append(field(kind, number, names[number]))
session.task_texts[kind] = texts
if kind == "choice":
    with st.container(horizontal=True):
        full, least = n_answers >= MOST_ANSWERS, n_answers <= 2
        st.button(t("inputs.add_answer", lang), on_click=more_answers, args=(1,), disabled=full)
        st.button(t("inputs.remove_answer", lang), on_click=more_answers, args=(-1,), disabled=least)
required = [
    n for n, text in zip(names, texts, strict=True) if not text.strip() and n != t("inputs.field_question", lang)
]
if required and len(texts) > 1:
    st.caption(state.plain(t("inputs.empty_field", lang, names=", ".join(required))))
if not any(text.strip() for text in texts):
    st.info(t("inputs.nothing_typed", lang))
if unknown := sum(piece.unknown for text in texts for piece in tokenizer.tokenize(text)):
    st.warning(t("app.unknown_one" if unknown == 1 else "app.unknown", lang, n=unknown))

# ---- rows

st.header(t("inputs.rows_title", lang), anchor=False)
n_ctx = model.config.n_ctx
state.asked("cut", TRUNCATIONS[0], state.one_of(TRUNCATIONS))
state.asked("ctx", 0, state.between(SHORTEST, 100_000))  # 0: all that the model reads
two_sides = kind not in ("classification", "token")
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    if n_ctx > SHORTEST:
        slider = f"in_ctx_{n_ctx}"
        session.setdefault(slider, min(session.ctx or n_ctx, n_ctx))
        ctx = st.slider(t("inputs.n_ctx", lang, n=n_ctx), SHORTEST, n_ctx, step=1, key=slider, width=320)
        session.ctx = 0 if ctx == n_ctx else ctx
    session.setdefault("in_cut", session.cut)
    session.cut = st.segmented_control(
        t("inputs.truncation", lang),
        TRUNCATIONS,
        format_func=lambda cut: t(f"inputs.cut_{cut}", lang),
        key="in_cut",
        required=True,
        disabled=not two_sides,
    )
config = task_model.task_config(model.config, min(session.ctx or n_ctx, n_ctx))


def laid_out(texts: list[str], config=config):
    """The example; for a class a word, the words' numbers stand as labels where each is read."""
    numbers = tuple(range(len(texts[0].split()))) if kind == "token" else None
    return layout(kind, texts, tokenizer, config, label=numbers, truncation=session.cut)


laid = laid_out(texts)
longest = collate([laid]).ids.shape[-1]
uncut = replace(config, n_ctx=max(SHORTEST, 2 * sum(len(tokenizer.encode(text)) for text in texts) + 8))
whole = laid_out(texts, uncut)
read_words = [i for i, label in enumerate(laid.label) if label >= 0] if isinstance(laid.label, tuple) else []


def cut_of(row: Row, uncut: Row) -> dict[str, tuple[int, ...]]:
    """Ids by span that did not fit."""
    pairs = zip(row.spans, uncut.spans, strict=True)
    return {kept.name: uncut.ids[all.end - kept.cut : all.end] for kept, all in pairs if kept.cut}


def row_name(number: int, n: int) -> str:
    if kind == "choice":
        return t("inputs.row_answer", lang, k=number + 1, n=n)
    return t("inputs.row_one" if kind != "similarity" else ("inputs.row_ab", "inputs.row_ba")[number], lang, n=n)


ARROWS = {"similarity": ("→ h₁", "→ h₂"), "choice": ("→ hW",) * MOST_ANSWERS, "token": ("",)}
rows = [
    task_rows.Shown(
        row,
        name=row_name(number, len(row.ids)),
        cut=cut_of(row, whole.rows[number]),
        padding=longest - len(row.ids),
        read=read_words or [row.extract] * (kind != "token"),
        arrow=ARROWS.get(kind, ("→ h → softmax(hW)",))[number],
    )
    for number, row in enumerate(laid.rows)
]
dark = components.dark()
n_cut = sum(span.cut for row in laid.rows for span in row.spans)
marks = [("cut", n_cut), ("pad", any(row.padding for row in rows)), ("read", any(row.read for row in rows))]
with components.careful(lang):
    words = {name: t(f"inputs.key_{name}", lang) for name, there in marks if there}
    with saving.drawing("rows", t("inputs.rows_title", lang), lambda: task_rows.columns(laid.rows, tokenizer)):
        st.html(task_rows.page(rows, tokenizer, lang, dark, task_rows.key(words)))
mode = session.cut if two_sides else "one"
room = {"one": config.n_ctx - 2, "2018": config.n_ctx // 2 - 2, "balanced": config.n_ctx - 3}[mode]
said = [t("inputs.cut_off", lang, n=n_cut)] if n_cut else []
said.append(t(f"inputs.mode_{mode}", lang, n=room))
said += [t("inputs.padded", lang, n=longest)] if len(rows) > 1 else [t("inputs.pad_later", lang)]
said += [t("inputs.long_row", lang, n=task_rows.LONG)] if longest > task_rows.LONG else []
v = config.n_vocab
classes = 1 if kind == "choice" else len(task.labels) if task and task.kind == kind else t("inputs.classes", lang)
said.append(
    t("inputs.new_parts", lang, start=v, delim=v + 1, extract=v + 2, c=config.n_embd, classes=classes)
    + ("" if task_model.has_special_rows(model) else " " * (lang == "en") + t("inputs.new_drawn", lang))
)
st.caption("  \n".join(said))

# ---- the classifier

st.header(t("inputs.answer_title", lang), anchor=False)
which = {"similarity": "both", "choice": "choice", "token": "token"}.get(kind, "one")
first, other = laid.rows[0].extract, laid.rows[-1].extract
st.caption(t(f"inputs.read_{which}", lang, position=first, other=other, c=config.n_embd, n=len(rows)))
if task is None:
    st.markdown(t("inputs.no_head", lang, model=state.plain(info.name)))
    st.page_link("views/finetune.py", label=t("inputs.to_finetune", lang))
elif task.kind != kind:
    own = t(f"inputs.kind_{task.kind}", lang)
    st.info(t("inputs.other_kind", lang, model=state.plain(info.name), kind=own))
else:
    with components.careful(lang):
        scores = torch.from_numpy(task_model.scores(model_id, stamp, loaded, laid))
        probabilities = scores.softmax(-1)
        if kind == "token" and not read_words:
            st.caption(t("inputs.no_words", lang))
        elif kind == "token":
            best = probabilities[read_words].max(-1)
            read = texts[0].split()
            body = task_rows.word_classes(
                [read[laid.label[i]] for i in read_words],
                [task.labels[i] for i in best.indices],
                best.values.tolist(),
            )
            st.html(panels.page(body, dark))
        else:
            title = t("inputs.col_answer" if kind == "choice" else "inputs.col_class", lang)
            classes = texts[2:] if kind == "choice" else task.labels
            st.html(panels.page(task_rows.bars(title, classes, scores, probabilities, lang), dark))

# ---- the first token sees only itself

st.header(t("inputs.first_title", lang), anchor=False)
st.caption(t("inputs.first_about", lang))
LAST_WORD = re.compile(r"[^\W_]+(?=[\W_]*$)")
edited = next((n for n in reversed(range(3 if kind == "choice" else len(texts))) if LAST_WORD.search(texts[n])), None)
state.asked("word", "rabbit", lambda text: text[:40])
session.setdefault("in_word", session.word)
session.word = st.text_input(t("inputs.word", lang), key="in_word", max_chars=40, live="300ms", width=220)
if edited is not None:
    with components.careful(lang):
        found = LAST_WORD.search(texts[edited])
        changed = list(texts)
        changed[edited] = texts[edited][: found.start()] + session.word + texts[edited][found.end() :]
        pair = [laid.rows[0], laid_out(changed).rows[0]]
        length = max(len(row.ids) for row in pair)
        before, after = (task_model.hidden(model_id, stamp, model, row.ids, length) for row in pair)
        n = min(len(row.ids) for row in pair) - 1  # behind it one row has no such token
        same = (before == after).all(-1)  # (T,)
        far = task_model.moved(before, after)  # (T,)
        extract_far = float(task_model.moved(before[pair[0].extract], after[pair[1].extract]))
        shown = {i: t("inputs.same", lang) if same[i] else task_rows.distance(far[i]) for i in range(n)}
        shown[pair[1].extract] = task_rows.distance(extract_far) if extract_far else t("inputs.same", lang)
        fills = {i: min(1.0, float(far[i])) for i in range(n) if not same[i]}
        words = [found[0], session.word]
        st.html(
            task_rows.page(
                [
                    task_rows.Shown(pair[0], t("inputs.first_before", lang, word=words[0])),
                    task_rows.Shown(pair[1], t("inputs.first_after", lang, word=words[1]), notes=shown, fills=fills),
                ],
                tokenizer,
                lang,
                dark,
            )
        )
        first_differs = next((i for i in range(n) if pair[0].ids[i] != pair[1].ids[i]), n)
        said = [t("inputs.first_same", lang) if same[0] else t("inputs.first_moved", lang, x=shown[0])]
        if first_differs > 1 and same[:first_differs].all():
            said.append(t("inputs.before_same", lang, n=first_differs))
        moved = (
            t("inputs.extract_moved", lang, x=shown[pair[1].extract]) if extract_far else t("inputs.extract_same", lang)
        )
        why = extract_far and kind != "token"
        said.append(moved + (" " * (lang == "en") + t("inputs.read_there", lang)) * bool(why))
        st.markdown("  \n".join(said))
        if not task_model.has_special_rows(model):
            st.caption(t("inputs.first_drawn", lang))

short = sum(map(len, texts)) <= state.LINK_CHARACTERS
linked = {f"x{n}": texts[n] if short and n < len(texts) else None for n in range(MOST_ANSWERS + 2)}
cut = None if session.cut == TRUNCATIONS[0] else session.cut
word = None if session.word == "rabbit" else session.word
state.also_link(task=kind, cut=cut, ctx=str(session.ctx) if session.ctx else None, word=word, **linked)

components.look_for("inputs", lang)
components.show_code(lang, layout, collate, TaskHead.forward, task_model.class_scores, task_model.hidden_states)
