"""The page Fine-tune without a browser: the matrix is that of predictions.jsonl, files are mapped, nothing fails."""

import json
import re

import numpy as np
import pytest
import torch
from app_driver import html, linked, opened, said, tables, well
from tuned import base, tuned

import gpt1viz
from gpt1viz import palette
from gpt1viz.data.toys import TOYS, toy
from gpt1viz.errors import GPT1VizError
from gpt1viz.figures import attention_moved, confusion, theme
from gpt1viz.inputs import layout
from gpt1viz.text import t
from gpt1viz.trace import Trace
from gpt1viz.training.finetune import FinetuneSettings, finetune

SIZES = {"train": 40, "validation": 24, "test": 4}
EVIL = "<script>alert(1)</script> <b>bold</b> **x**"


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory):
    """A finished run of every toy task, on two layers."""
    folder = tmp_path_factory.mktemp("runs")
    place = base(tmp_path_factory.mktemp("models"))
    loaded = gpt1viz.load(place)
    for name in TOYS:
        settings = FinetuneSettings(steps=4, batch_size=8, lr=1e-2, device="cpu")
        finetune(loaded, toy(name, sizes=SIZES), folder / name.replace("/", "-"), settings=settings)
    other = tuned(place.parent, "entailment")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPT1VIZ_RUNS", str(folder))
        patch.setenv("GPT1VIZ_MODELS", f"{place}:{other}")
        yield folder


def predictions(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def figure(app, name):
    """The traces of the plotly figure that has one by this name."""
    for chart in app.get("plotly_chart"):
        found = [trace for trace in json.loads(chart.proto.spec)["data"] if trace["name"] == name]
        if found:
            return found[0]
    raise AssertionError(f"no {name}")


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_matrix_is_counted_from_the_predictions(name, lang, runs):
    app = opened("finetune", lang=lang, tuned=name.replace("/", "-"))
    assert well(app) and not app.warning
    task, rows = TOYS[name], predictions(runs / name.replace("/", "-"))
    assert len(rows) == SIZES["validation"]
    wanted: dict[tuple[int, int], int] = {}
    for row in rows:
        pairs = [(row["label"], row["prediction"])]
        if task.kind == "token":
            pairs = list(zip(row["label"], row["prediction"], strict=True))
        for pair in pairs:
            wanted[pair] = wanted.get(pair, 0) + 1
    cells = figure(app, "confusion")["customdata"]
    found = {(a, b): cell[0] for a, line in enumerate(cells) for b, cell in enumerate(line) if cell[0]}
    assert found == wanted
    wrong = sum(row["label"] != row["prediction"] for row in rows)
    shown = min(wrong, 4 if task.kind == "token" else 10)
    assert t("finetune.errors_caption", lang, n=wrong, m=len(rows), shown=shown) in said(app)
    heads = [t(f"finetune.col_{column}", lang) for column in ("texts", "true", "said", "sure")]
    listed = next(table[1:] for table in tables(app) if table[0] == heads) if wrong else []
    assert len(listed) == shown


def test_the_attention_is_that_of_the_first_and_the_last_checkpoint(runs):
    app = opened("finetune", tuned="toy-belongings")
    texts = predictions(runs / "toy-belongings")[0]["texts"]
    for name, step in (("before", 0), ("after", 4)):
        model, tokenizer, *_ = gpt1viz.load(runs / f"toy-belongings@{step}")
        row = layout("entailment", texts, tokenizer, model.config).rows[0]
        delimiter = next(span.start for span in row.spans if span.name == "delim")
        trace = Trace(fields={"weights"})
        model(torch.tensor([row.ids]), trace=trace)
        wanted = [[f"{float(w):.4f}" for w in block.weights[0, :, -1, delimiter]] for block in trace.blocks]
        assert figure(app, name)["text"] == wanted


@pytest.mark.parametrize("model", ["storybook", "base", "tuned-entailment"])
def test_it_opens_on_every_model(model):
    app = opened("finetune", model=model)
    assert well(app) and linked(app)["data"] is None and linked(app)["tuned"]
    app.selectbox(key="ft_data").set_value("glue/sst2").run()
    assert well(app) and "nyu" in said(app) and linked(app)["data"] == "glue/sst2"
    app.selectbox(key="ft_data").set_value("file").run()
    assert well(app) and t("finetune.file_help", "en") in said(app)
    assert not [b for b in app.button if b.label == t("finetune.start", "en")]
    assert opened("finetune", tuned="gone").warning


def test_without_runs_it_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_RUNS", str(tmp_path))
    app = opened("finetune")
    assert well(app) and t("finetune.no_runs", "en") in said(app)


def test_your_own_example_is_text_and_is_answered(runs):
    app = opened("finetune", tuned="toy-mood")
    app.text_input(key="try_toy-mood_0").set_value(EVIL).run()
    assert well(app) and "<script>" not in html(app) and "<b>bold" not in html(app)
    found = next(table[1:] for table in tables(app) if table[0][1:] == ["hW", "softmax"])
    assert [row[0] for row in found] == ["unhappy", "happy"]


def test_a_read_only_server_starts_nothing(monkeypatch):
    monkeypatch.setenv("GPT1VIZ_READ_ONLY", "1")
    app = opened("finetune")
    assert well(app) and next(b for b in app.button if b.label == t("finetune.start", "en")).disabled


def test_a_file_is_mapped_and_its_faults_name_its_lines():
    import task_files  # lies beside the app's pages

    lines = [f"the {word} ran,{'up' if n % 2 else 'down'},x" for n, word in enumerate("abcdefghijkl")]
    content = "\n".join(["sentence,way,more", *lines]).encode()
    rows = task_files.rows_of("mine.csv", content)
    found = ["sentence", "way", "more"]
    assert task_files.likely("classification", found) == {"text": "sentence", "label": "way"}
    task = task_files.read(task_files.mapped(rows, {"text": "sentence", "label": "way"}), "classification", "mine.csv")
    assert task.labels == ("down", "up") and sum(map(len, task.splits.values())) == 12
    table = task_files.preview(task, ("texts", "true"))
    assert table.count("<tr>") == 5 and "the " in table
    bad = task_files.rows_of("mine.csv", content + b"\n ,up,x")
    with pytest.raises(GPT1VizError, match=r"mine\.csv, line 14"):
        task_files.read(task_files.mapped(bad, {"text": "sentence", "label": "way"}), "classification", "mine.csv")
    with pytest.raises(GPT1VizError, match=r"mine\.jsonl"):
        task_files.rows_of("mine.jsonl", b"not json\n")
    answers = [{"q": "why?", "one": "a", "two": "b", "label": str(n % 2)} for n in range(12)]
    choice = task_files.mapped(
        list(enumerate(answers, 1)), {"question": "q", "answers": ["one", "two"], "label": "label"}
    )
    assert task_files.read(choice, "choice", "x").splits["train"][0].texts == ("", "why?", "a", "b")
    evil = [(n, {"text": EVIL + str(n), "label": "<i>" + str(n % 2)}) for n in range(1, 13)]
    task = task_files.read(task_files.mapped(evil, {"text": "text", "label": "label"}), "classification", "x")
    assert not re.search("<(script|b|i)>", task_files.preview(task, ("a", "b")))


@pytest.mark.parametrize("dark", [False, True])
def test_the_figures(dark):
    counts = np.array([[90, 10], [0, 3]])
    fig = confusion(counts, ["<b>a</b>", "b"], dark=dark)
    assert fig.data[0].z.tolist() == [[0.9, 0.1], [0.0, 1.0]]
    assert [note.text for note in fig.layout.annotations] == ["90", "10", "0", "3"]
    fills = [theme.colour_at(palette.VIOLET[dark], share**0.5) for share in (0.9, 0.1, 0.0, 1.0)]
    assert [note.font.color for note in fig.layout.annotations] == [theme.text_on(fill) for fill in fills]
    assert fig.layout.xaxis.ticktext[0] == "&lt;b&gt;a&lt;/b&gt;"
    moved = attention_moved(np.full((2, 3), 0.25), np.eye(2, 3), query="◆extract", key="<x>", dark=dark)
    assert (
        moved.data[1].text.tolist() == [["1", "0", "0"], ["0", "1", "0"]] and "&lt;x&gt;" in moved.data[0].hovertemplate
    )
    for wrong in (lambda: confusion(counts, ["a"]), lambda: attention_moved(counts, counts[:1], query="", key="")):
        with pytest.raises(ValueError, match="fit"):
            wrong()
