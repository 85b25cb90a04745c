"""The page Paper: its tables and drawings are the stored results, in both languages; what has not been run is said."""

import re
from urllib.parse import urlencode

import pytest
from app_driver import linked, opened, said, tables, turned, well
from app_page import IDLE
from app_page import linked as address_says
from measured import MORE, ROWS

from gpt1viz import cli
from gpt1viz.data.toys import TOYS, toy
from gpt1viz.reproduce import compare, results
from gpt1viz.reproduce.results import SPLITS, VARIANTS
from gpt1viz.text import t

MARK = re.compile(r"[\s▲▼]+$")


@pytest.mark.parametrize("lang, split", [("en", "test"), ("zh", "validation")])
def test_the_table_is_the_files(lang, split):
    app = opened("paper", lang=lang, split=split)
    assert well(app) and not app.warning
    rows = results.stored()
    found, effects = results.table5(rows), compare.effects(rows, split)
    (head, means, *each), beside = tables(app)[:2]
    assert head[1:] == [t(f"paper.row_{variant}", lang) for variant in VARIANTS]
    assert [row[0].split(" (")[0] for row in each] == list(dict.fromkeys(task for task, _ in found)) != []
    for task, *cells in each:
        own = [found.get((task.split(" (")[0], variant)) for variant in VARIANTS]
        assert [MARK.sub("", cell) for cell in cells] == [
            compare.in_words(getattr(summary, split)) if summary else "–" for summary in own
        ]
    wanted = [compare.in_words(effects[v].score) if v in effects else "–" for v in VARIANTS]
    assert [MARK.sub("", cell) for cell in means[1:]] == wanted
    assert [row[2:] for row in beside[2:]] == [
        [
            compare.in_words(effect.difference, signed=True),
            f"{compare.PAPER[variant]:.1f}",
            f"{compare.PAPER[variant] - compare.PAPER['full']:+.1f}".replace("-", "−"),
            t(f"paper.verdict_{effect.verdict}", lang),
        ]
        for variant, effect in effects.items()
        if variant != "full"
    ]
    assert f"**{len(results.finetuned(rows))}" in said(app)
    columns = app.session_state.drawings["paper_table"].data()
    assert columns[split] == [getattr(summary, split).mean for summary in found.values()]


def marks(row: list[str]) -> list[str]:
    return [cell[-1] if cell[-1] in "▲▼" else "" for cell in row[1:]]


def test_marks_stand_where_the_interval_of_a_difference_does_not_hold_zero(monkeypatch):
    monkeypatch.setattr(results, "stored", lambda: (*ROWS, *MORE))
    app = opened("paper", split="validation")
    _, means, a, _ = tables(app)[0]
    assert marks(a) == ["", "▼", "▼", ""]  # one run of the LSTM tells nothing
    assert means[-1] == "–"  # it was not run on all tasks
    assert len(app.get("plotly_chart")) == 4
    app.segmented_control(key="split").set_value("test").run()
    assert marks(tables(app)[0][2]) == ["", "▼", "▼", ""] and well(app)
    assert t("paper.row_lstm", "en") not in {row[0] for row in tables(app)[1]}


def test_what_the_caption_says_of_guessing():
    tasks = {name: toy(name, sizes={"train": 12, "validation": 12, "test": 12}) for name in TOYS}
    chances = {name: 100 // len(task.labels or task.splits["train"][0].texts[2:]) for name, task in tasks.items()}
    assert tasks["toy/kinds"].metric == "f1" and tasks["toy/kinds"].labels[0] == "other"
    assert {name: chances[name] for name in chances if chances[name] != 50 and name != "toy/kinds"} == {
        "toy/belongings": 33
    }
    assert "50" in t("paper.table_caption", "en") and "33" in t("paper.table_caption", "zh")


def test_the_sentences_name_the_files_numbers(monkeypatch):
    monkeypatch.setattr(results, "stored", lambda: (*ROWS, *MORE))
    app = opened("paper", split="validation")
    words = {"task": "a", "start": "50.0", "end": "90.0", "ups": 4, "n": 4, "rise": "+15.0"}
    assert t("paper.layers_here", "en", step=t("paper.step_block", "en", last=1), **words) in said(app)
    words = {"task": "a", "n": "50", "score": "80.0", "all": "200", "scratch": "50.0"}
    assert t("paper.examples_here", "en", **words) in said(app)
    ours = t("paper.zero_shot_model", "en", model="Transformer", first="60.0", last="92.0", best="92.0")
    theirs = t("paper.zero_shot_model", "en", model="LSTM", first="50.0", last="82.0", best="82.0")
    assert t("paper.zero_shot_here", "en", task="a", models=f"{ours}; {theirs}", chance="50.0") in said(app)
    head, row = tables(app)[2]
    assert head[2] == t("reproduce.early", "en") and row == ["a", "70.0", "75.0", "90.0 ± 0.0"]
    assert t("paper.same_tokens", "en", lstm="32.8K", transformer="131K") in said(app)
    gained = t("paper.bits_model", "en", model="Transformer", first="4.00", last="2.00")
    theirs = t("paper.bits_model", "en", model="LSTM", first="5.00", last="5.00")
    assert t("paper.bits_here", "en", models=f"{gained}; {theirs}") in said(app)


def test_what_has_not_been_run_is_said(monkeypatch):
    monkeypatch.setattr(results, "stored", lambda: ())
    app = opened("paper", lang="zh")
    assert well(app) and not app.get("plotly_chart")
    assert [note.value for note in app.info] == 4 * [t("paper.missing", "zh")]


def test_its_commands_are_there(monkeypatch, capsys):
    monkeypatch.setattr(results, "stored", lambda: (*ROWS, *MORE[:3], *MORE[6:]))  # none with one block
    app = opened("paper", split="validation")
    assert t("paper.step_blocks", "en", first=0, last=1) in said(app)
    commands = next(code.value for code in app.code if code.value.startswith("gpt1viz "))
    assert cli.main(["reproduce", "--help"]) == 0
    options = capsys.readouterr().out
    assert all(command.startswith("gpt1viz reproduce ") for command in commands.splitlines())
    assert [word for word in re.findall(r"--[\w-]+", commands) if f"{word} " not in options] == []
    for part in re.findall(r"--parts (\w+)", commands):
        assert part in options


def test_a_link_reopens_it_and_a_wrong_one_falls_back_aloud():
    app = opened("paper", split="validation")
    assert linked(app)["split"] == "validation" and t("paper.about_validation", "en") in said(app)
    turned(app, "cost")
    assert linked(app)["split"] is None
    turned(app, "paper")
    assert linked(app)["split"] == "validation"
    app = opened("paper", split="nonsense")
    assert well(app) and len(app.warning) == 1 and linked(app)["split"] is None
    assert t("paper.about_test", "en") in said(app)


@pytest.mark.browser
def test_it_is_drawn_narrow_and_dark(visit, site):
    page = visit(f"{site}/paper?{urlencode({'lang': 'zh'})}", width=900, dark=True)
    page.locator(".st-key-paper_table .scatterlayer .point").first.wait_for()
    page.wait_for_selector(IDLE)
    found = results.table5(results.stored())
    drawn = sum(variant in VARIANTS for _, variant in found) + len(compare.effects(results.stored(), "test"))
    assert page.locator(".st-key-paper_table .scatterlayer .point").count() == drawn
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    page.get_by_role("radio", name=t(f"paper.split_{SPLITS[0]}", "zh")).click()
    page.get_by_text(t("paper.about_validation", "zh")).wait_for()
    address_says(page, split="validation", lang="zh")
