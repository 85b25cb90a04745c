"""`gpt1viz finetune` and `evaluate`: what they print and leave, in both languages; bad input is one sentence."""

import json

import pytest
import stores
from test_cli_training import run  # noqa: F401 (a fixture)
from tiny_run import one_thread  # noqa: F401 (a fixture)

from gpt1viz import load
from gpt1viz.training import files
from gpt1viz.training.runs import read_run

ROWS = [("the fox ran", "yes"), ("the hat sat", "no"), ("the hen ran", "yes"), ("the mat sat", "no")] * 8
SMALL = ["--set", "batch_size=4", "--set", "lr=1e-2", "--set", "device=cpu"]


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "animals.csv"
    path.write_text("words,is it\n" + "".join(f"{text} {n},{label}\n" for n, (text, label) in enumerate(ROWS)))
    return path


@pytest.fixture
def base(tmp_path):
    return stores.ours(tmp_path / "base")


def columns() -> list[str]:
    return ["--column", "text=words", "--column", "label=is it", "--labels", "no,yes"]


def test_finetune_resume_and_evaluate(run, base, data, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    code, out, err = run("finetune", "base", "animals.csv", "--run", "runs/a", "--epochs", 1, *columns(), *SMALL)
    assert (code, err) == (0, "")
    assert f"gpt1viz evaluate {tmp_path}/runs/a" in out
    record = read_run("runs/a")
    assert record.settings["kind"] == "finetune" and record.settings["source"]["checkpoint"] == str(base)
    steps = record.step
    monkeypatch.chdir(tmp_path / "runs")  # paths were noted in full
    code, out, _ = run("train", "--resume", "a", "--steps", steps + 2, "--lang", "zh")
    assert code == 0 and f"已完成，共 {steps + 2} 步" in out
    code, out, _ = run("finetune", "--resume", "a", "--epochs", 2)
    assert code == 0 and read_run("a").step == 2 * steps
    assert load("a").task.labels == ("no", "yes")
    code, out, _ = run("evaluate", "a", "--split", "validation", "--out", "said.jsonl")
    last = read_run("a").metrics("eval")[-1]
    assert code == 0 and f"accuracy {last['accuracy']:.4f}" in out
    rows, _ = files.read_rows(tmp_path / "runs" / "said.jsonl")
    kept, _ = files.read_rows(tmp_path / "runs" / "a" / "predictions.jsonl")
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in kept]


def test_a_dry_run_writes_nothing(run, base, data, tmp_path):  # noqa: F811
    code, out, _ = run("finetune", base, data, "--run", tmp_path / "run", "--dry-run", *columns(), *SMALL)
    assert code == 0 and not (tmp_path / "run").exists()
    assert "24 updates" in out  # 26 examples, 4 epochs of 6 batches


def test_a_language_model_is_evaluated_on_text(run, base, tmp_path):  # noqa: F811
    text = tmp_path / "story.txt"
    text.write_text(stores.TEXT * 3, encoding="utf-8")
    code, out, _ = run("evaluate", base, text, "--stride", 3)
    numbers = dict(line.split() for line in out.splitlines())
    assert code == 0 and numbers.keys() == {"loss", "perplexity", "bits_per_character"}
    assert float(numbers["loss"]) > 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["finetune"], "toy/mood"),
        (["finetune", "storybook", "toy/joke"], "toy/joke"),
        (["finetune", "nothing-here", "toy/mood"], "nothing-here"),
        (["finetune", "storybook", "toy/mood", "--set", "speed=3"], "speed"),
        (["finetune", "storybook", "toy/mood", "--set", "n_transfer=7"], "6 blocks"),
        (["finetune", "--resume", "NOWHERE"], "NOWHERE"),
        (["evaluate", "storybook"], "not been fine-tuned"),
    ],
)
def test_bad_input_is_one_sentence(run, arguments, words, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments)
    assert code == 2 and words in err and len(err.splitlines()) == 1
    assert not (tmp_path / "runs").exists() and "{" not in err


def test_the_source_is_json(run, base, data, tmp_path):  # noqa: F811
    run("finetune", base, data, "--run", tmp_path / "run", "--steps", 1, *columns(), *SMALL)
    source = json.loads((tmp_path / "run" / "settings.json").read_text())["source"]
    assert source["columns"] == {"text": "words", "label": "is it"} and source["labels"] == ["no", "yes"]
