"""Paper: table 5 and figure 2 at the bundled checkpoint's size, as `gpt1viz reproduce` measured them."""

from collections.abc import Callable, Sequence

import components
import panels
import paper_tables as tables
import paper_words as words
import state
import streamlit as st

from gpt1viz.figures import numbers
from gpt1viz.reproduce import compare, drawings, results
from gpt1viz.reproduce.plan import jobs, settings
from gpt1viz.text import t

COMMANDS = """gpt1viz reproduce --workers 2 --precision bfloat16
gpt1viz reproduce --parts table5 --tasks toy/mood --seeds 5
gpt1viz reproduce --parts zero_shot --transformer-run runs/mine"""

lang, dark = st.session_state.lang, components.dark()
rows = results.stored()
tuned = results.finetuned(rows)


def missing() -> None:
    """A part that has not been run yet."""
    st.info(t("paper.missing", lang))


def here(*sentences: str) -> None:
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))


def drawing(part: str, draw: Callable, split: str, cells: Sequence[tuple[dict, results.Summary]]) -> None:
    """A part's figure; `cells` are the columns of its file: where a score stands, and the score."""
    title = t(f"paper.{part}_title", lang)
    components.chart(draw, rows, split, key=f"paper_{part}", title=title, data=lambda: tables.columns_of(cells))
    st.caption(t(f"paper.{part}_drawing", lang))


def table_5(split: str) -> None:
    found = results.table5(rows)
    if not found:
        missing()
        return
    effects, differences = compare.effects(rows, split), compare.task_differences(rows, split)
    head = ["", *(t(f"paper.row_{variant}", lang) for variant in results.VARIANTS)]
    st.html(panels.table(head, tables.rows_of(found, effects, differences, split, lang), dark, chosen=0))
    st.caption(t("paper.table_caption", lang))
    cells = [({"task": task, "row": variant}, summary) for (task, variant), summary in found.items()]
    drawing("table", drawings.table5, split, cells)
    st.markdown(t("paper.table_paper", lang, **words.paper()))
    head = [t(f"paper.col_{name}", lang) for name in ("row", "here", "less", "paper", "paper_less", "direction")]
    st.html(panels.table(head, tables.beside_the_paper(effects, lang), dark))
    st.caption(t("paper.verdict_caption", lang, tasks=len(tables.tasks_of(found)), papers=len(compare.TASKS)))
    read = {model: numbers.short(own[-1].tokens, lang) for model, own in results.bits(rows).items()}
    if (lines := tables.same_tokens(found, split)) and len(read) == len(results.MODELS):
        head = ["", t("paper.row_lstm", lang), t("reproduce.early", lang), t("paper.row_full", lang)]
        st.html(panels.table(head, lines, dark))
        st.caption(t("paper.same_tokens", lang, **read))


def layers(split: str) -> None:
    found = results.layers(rows)
    if not found:
        missing()
        return
    cells = [({"task": task, "layers": n}, summary) for task, own in found.items() for n, summary in own.items()]
    drawing("layers", drawings.layers, split, cells)
    st.markdown(t("paper.layers_paper", lang))
    here(*(words.layers(task, own, split, lang) for task, own in found.items()))


def examples(split: str) -> None:
    found = results.examples(rows)
    if not found:
        missing()
        return
    cells = [
        ({"task": task, "pretrained": start, "examples": n}, summary)
        for task, starts in found.items()
        for start, own in starts.items()
        for n, summary in own.items()
    ]
    drawing("examples", drawings.examples, split, cells)
    st.markdown(t("paper.examples_paper", lang))
    here(*(words.examples(task, own, split, lang) for task, own in found.items()))


def zero_shot() -> None:
    found = results.zero_shot(rows)
    if not found:
        missing()
        return
    components.chart(
        drawings.zero_shot,
        rows,
        key="paper_zero_shot",
        title=t("paper.zero_shot_title", lang),
        data=lambda: {
            name: [getattr(row, name) for own in found.values() for models in own.values() for row in models]
            for name in ("task", "metric", "model", "step", "tokens", "value", "chance")
        },
    )
    st.caption(t("paper.zero_shot_drawing", lang))
    st.markdown(t("paper.zero_shot_paper", lang))
    here(*(words.zero_shot(task, own, lang) for task, own in found.items()))
    if read := results.bits(rows):
        st.markdown(words.bits(read, lang))


seeds = len({row.seed for row in tuned})
hours = numbers.span(sum(row.seconds for row in tuned), lang)
tasks = len({row.task for row in tuned})
st.markdown(t("paper.intro", lang, runs=len(tuned), tasks=tasks, seeds=seeds, hours=hours))
split = state.choice(
    "split", t("paper.split", lang), ("test", "validation"), lambda name: t(f"paper.split_{name}", lang)
)
st.caption(t(f"paper.about_{split}", lang))

for title, part in (("table", table_5), ("layers", layers), ("examples", examples)):
    st.header(t(f"paper.{title}_title", lang), anchor=False)
    with components.careful(lang):
        part(split)
    if title == "table":
        components.look_for("paper", lang)
st.header(t("paper.zero_shot_title", lang), anchor=False)
with components.careful(lang):
    zero_shot()
st.header(t("paper.again_title", lang), anchor=False)
st.markdown(t("paper.again", lang))
st.code(COMMANDS, language="bash")
components.show_code(lang, jobs, settings, results.estimate, compare.effects, compare.direction)
