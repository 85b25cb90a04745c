"""`gpt1viz train` and `gpt1viz runs`: what they print and leave, in both languages; bad input is one sentence."""

import json
import subprocess
import sys

import pytest
from tiny_run import one_thread  # noqa: F401 (a fixture)

from gpt1viz import cli, load
from gpt1viz.training.cost import flops_a_token, probe
from gpt1viz.training.plan import Plan
from gpt1viz.training.runs import read_run

TEXT = "the fox and the hen ran to the den . the cat sat on the mat .\nthe hat on the rat .\n" * 40
SMALL = [f"--set={change}" for change in ("n_layer=1", "n_embd=12", "n_head=3", "n_ctx=11", "vocabulary=29")]
SMALL += ["--set=batch_size=4", "--set=sample_tokens=3", '--set=prompts=["the fox"]']


@pytest.fixture
def run(capsys):
    """Run a command; its exit code, standard output and standard error."""

    def run(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([*map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "story.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_train_resume_use_and_remove(run, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    validate = ["--validation", text, "--set", "eval_every=2"]
    code, out, err = run("train", "story.txt", "--run", "runs/a", "--steps", 3, *validate, *SMALL)
    assert (code, err) == (0, "")
    assert f"--model {tmp_path}/runs/a" in out
    monkeypatch.chdir(tmp_path / "runs")  # the text's path was noted in full
    code, out, _ = run("train", "--resume", "a", "--steps", 5, "--lang", "zh")
    assert code == 0 and "已完成，共 5 步" in out
    record = read_run("a")
    assert [row["step"] for row in record.metrics("train")] == [1, 2, 3, 4, 5]
    assert record.config.to_dict()["n_vocab"] == load("a").tokenizer.n_vocab == 29
    assert record.settings["source"]["text"] == [str(text)]
    code, out, _ = run("runs", "list", "--folder", ".")
    assert code == 0 and "finished" in out and "a " in out.splitlines()[1]
    assert f"{record.metrics('eval')[-1]['bits_per_character']:.3f}" in out
    run("train", text, "--run", "b", "--steps", 2, "--set", "lr=0.5", *SMALL)
    code, out, _ = run("runs", "compare", "a", "b")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}
    assert rows["lr"] == ["0.002", "0.5"] and rows["steps"] == ["5", "2"] and "n_layer" not in rows
    assert run("runs", "remove", "b", "--yes")[0] == 0
    assert not (tmp_path / "runs" / "b").exists()
    assert "None" not in out


def test_dry_run_writes_nothing(run, text, tmp_path):
    code, out, _ = run("train", text, "--run", tmp_path / "run", "--steps", 1000, "--dry-run", *SMALL)
    assert code == 0 and not (tmp_path / "run").exists()
    config = Plan.read("storybook").changed({"n_layer": 1, "n_embd": 12, "n_head": 3, "n_ctx": 11}).config(29)
    assert f"{config.n_params:,}" in out and f"{flops_a_token(config):,}" in out and "1,000 updates" in out


def test_what_a_token_costs():
    """The bundled shape by hand: six operations for each weight in a product, and 12 L C T for attention."""
    config = Plan.read("storybook").config(4096)
    assert flops_a_token(config) == 6 * (6 * 12 * 192**2 + 4096 * 192) + 12 * 6 * 192 * 256
    small = Plan.read("storybook").changed({"n_layer": 2, "n_embd": 24, "n_ctx": 16, "steps": 1, "device": "cpu"})
    cost, deeper = (
        probe(small.config(97), small.settings),
        probe(small.changed({"n_layer": 4}).config(97), small.settings),
    )
    assert cost.tokens_a_second * cost.seconds_a_step == pytest.approx(16 * 16)
    assert cost.memory > 16 * cost.n_params
    assert deeper.memory - 16 * deeper.n_params > 1.5 * (cost.memory - 16 * cost.n_params)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recipe", "paper", "--steps", "3"], "name files or folders"),
        (["--steps", "3", "--books", "no-books"], "no-books"),
        (["TEXT", "--set", "n_layer=2"], "needs a budget"),
        (["TEXT", "--steps", "3", "--set", "n_layers=2"], "'n_layers'"),
        (["TEXT", "--steps", "3", "--set", "n_layer"], "NAME=VALUE"),
        (["TEXT", "--steps", "3", "--set", "n_head=5"], "multiple of n_head"),
        (["TEXT", "--steps", "3", "--recipe", "cake"], "paper, storybook"),
        (["--resume", "nowhere"], "nowhere"),
        (["missing.txt", "--steps", "3"], "missing.txt"),
    ],
)
def test_bad_input_is_one_sentence(arguments, words, run, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for lang in ("en", "zh"):
        code, _, err = run("train", *(text if word == "TEXT" else word for word in arguments), "--lang", lang)
        assert code == 2 and len(err.strip().splitlines()) == 1
        assert words in err or lang == "zh"


def test_an_existing_run_is_left_alone(run, text, tmp_path):
    run("train", text, "--run", tmp_path / "run", "--steps", 1, *SMALL)
    before = json.loads((tmp_path / "run" / "tokenizer.json").read_text())
    code, _, err = run("train", text, "--run", tmp_path / "run", "--steps", 1, "--set", "vocabulary=40")
    assert code == 2 and "resume" in err
    assert json.loads((tmp_path / "run" / "tokenizer.json").read_text()) == before


def test_a_parent_that_dies_stops_it(text, tmp_path):
    code = "import sys; from gpt1viz.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "train", str(text), "--run", str(tmp_path / "run"), "--watch-stdin"]
    process = subprocess.run([*command, "--steps", "1000000", *SMALL], capture_output=True, text=True, timeout=100)
    assert process.returncode == 130, process.stderr
    assert "--resume" in process.stdout and process.stderr == ""
    assert read_run(tmp_path / "run").state == "stopped"
