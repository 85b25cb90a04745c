"""Paper: table 5 and figure 2 at the bundled checkpoint's size, as `gpt1viz reproduce` measured them."""

import components
import panels
import paper_drawings as drawings
import paper_words as words
import state
import streamlit as st

from gpt1viz.figures import dots, numbers, trends
from gpt1viz.reproduce import compare, results
from gpt1viz.reproduce.plan import PARTS, jobs, settings
from gpt1viz.text import t

ROLES = ("attention", "key", "residual", "value")  # of table 5's rows, in the drawings

lang, dark = st.session_state.lang, components.dark()
rows = results.stored()
tuned = results.finetuned(rows)


def missing() -> None:
    """A part that has not been run yet."""
    st.info(t("paper.missing", lang))


def here(*sentences: str) -> None:
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))


def table_5(split: str) -> None:
    found = results.table5(rows)
    if not found:
        missing()
        return
    effects, differences = compare.effects(rows, split), compare.task_differences(rows, split)
    head = ["", *(t(f"paper.row_{variant}", lang) for variant in results.VARIANTS)]
    st.html(panels.table(head, drawings.table_rows(found, effects, differences, split, lang), dark, chosen=0))
    st.caption(t("paper.table_caption", lang))
    components.chart(
        dots,
        *drawings.dot_series(found, effects, split, lang),
        roles=[ROLES[i] for i, v in enumerate(results.VARIANTS) if any(name == v for _, name in found)],
        value_title=t("paper.score", lang),
        key="paper_table5",
        title=t("paper.table_title", lang),
        data=lambda: drawings.columns_of(
            [({"task": task, "row": v}, drawings.splits(summary)) for (task, v), summary in found.items()]
        ),
    )
    st.caption(t("paper.dots_caption", lang))
    st.markdown(t("paper.table_paper", lang, **words.paper()))
    head = [t(f"paper.col_{name}", lang) for name in ("row", "here", "less", "paper", "paper_less", "direction")]
    st.html(panels.table(head, drawings.beside_the_paper(effects, lang), dark))
    st.caption(t("paper.verdict_caption", lang, tasks=len(drawings.tasks_of(found)), papers=len(compare.TASKS)))


def layers(split: str) -> None:
    found = results.layers(rows)
    if not found:
        missing()
        return
    places = sorted({n for own in found.values() for n in own})
    components.chart(
        trends,
        drawings.layer_panels(found, split, lang),
        ticks={n: "–" if n == -1 else str(n) for n in places},
        x_title=t("paper.axis_layers", lang),
        y_title=t("paper.score", lang),
        key="paper_layers",
        title=t("paper.layers_title", lang),
        data=lambda: drawings.columns_of(
            [
                ({"task": task, "layers": n}, drawings.splits(summary))
                for task, own in found.items()
                for n, summary in own.items()
            ]
        ),
    )
    st.caption(t("paper.layers_caption", lang))
    st.markdown(t("paper.layers_paper", lang))
    here(*(words.layers(task, own, split, lang) for task, own in found.items()))


def examples(split: str) -> None:
    found = results.examples(rows)
    if not found:
        missing()
        return
    sizes = sorted({n for own in found.values() for by_n in own.values() for n in by_n})
    components.chart(
        trends,
        drawings.example_panels(found, split, lang),
        log=True,
        ticks={n: f"{n:,}" for n in sizes},
        x_title=t("paper.axis_examples", lang),
        y_title=t("paper.score", lang),
        key="paper_examples",
        title=t("paper.examples_title", lang),
        data=lambda: drawings.columns_of(
            [
                ({"task": task, "pretrained": start, "examples": n}, drawings.splits(summary))
                for task, own in found.items()
                for start, by_n in own.items()
                for n, summary in by_n.items()
            ]
        ),
    )
    st.caption(t("paper.examples_caption", lang))
    st.markdown(t("paper.examples_paper", lang))
    here(*(words.examples(task, own, split, lang) for task, own in found.items()))


def zero_shot() -> None:
    found = results.zero_shot(rows)
    if not found:
        missing()
        return
    panels_of = drawings.zero_shot_panels(found, lang)
    chances = {task: 100 * row.chance for task, own in found.items() for models in own.values() for row in models}
    tokens = [row.tokens for own in found.values() for models in own.values() for row in models if row.tokens]
    components.chart(
        trends,
        panels_of,
        levels=chances,
        log=True,
        ticks=drawings.powers(min(tokens), max(tokens), lang),
        columns=2,
        x_title=t("paper.axis_tokens", lang),
        y_title=t("paper.score", lang),
        key="paper_zero_shot",
        title=t("paper.zero_shot_title", lang),
        data=lambda: {
            name: [getattr(row, name) for own in found.values() for models in own.values() for row in models]
            for name in ("task", "metric", "model", "step", "tokens", "value", "chance")
        },
    )
    st.caption(t("paper.zero_shot_caption", lang))
    st.markdown(t("paper.zero_shot_paper", lang))
    here(*(words.zero_shot(task, own, lang) for task, own in found.items()))


seeds = len({row.seed for row in tuned})
hours = numbers.span(sum(row.seconds for row in tuned), lang)
tasks = len({row.task for row in tuned})
st.markdown(t("paper.intro", lang, runs=len(tuned), tasks=tasks, seeds=seeds, hours=hours))
split = state.choice(
    "split", t("paper.split", lang), ("test", "validation"), lambda name: t(f"paper.split_{name}", lang)
)
st.caption(t(f"paper.about_{split}", lang))

for title, part in (("table", table_5), ("layers", layers), ("examples", examples)):
    st.subheader(t(f"paper.{title}_title", lang), anchor=False)
    with components.careful(lang):
        part(split)
    if title == "table":
        components.look_for("paper", lang)
st.subheader(t("paper.zero_shot_title", lang), anchor=False)
with components.careful(lang):
    zero_shot()
st.subheader(t("paper.again_title", lang), anchor=False)
st.markdown(t("paper.again", lang))
st.code("gpt1viz reproduce\n" + "\n".join(f"gpt1viz reproduce --parts {part}" for part in PARTS), language="bash")
components.show_code(lang, jobs, settings, results.estimate, compare.effects, compare.direction)
