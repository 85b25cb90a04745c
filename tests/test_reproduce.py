"""The paper in small: its jobs, runs that are resumed, means and intervals, tables; the results that are stored."""

import csv
import io
import json
import math
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import stores
from house import ROOT
from test_cli_training import run as command  # noqa: F401 (a fixture)
from tiny_run import one_thread  # noqa: F401 (a fixture)

from gpt1viz.data.tasks import load_task
from gpt1viz.errors import GPT1VizError
from gpt1viz.reproduce import drawings, plan, results, run, tables
from gpt1viz.reproduce.compare import PAPER
from gpt1viz.reproduce.lstm import BUNDLED
from gpt1viz.reproduce.plan import Job
from gpt1viz.reproduce.results import Bits, Estimate, Finetuned, ZeroShot, estimate, read, stored
from gpt1viz.training import files

TOYS = dict.fromkeys(plan.TASKS["table5"], 2000)
ROW = Finetuned(
    task="toy/mood",
    metric="accuracy",
    model="transformer",
    start="storybook",
    n_layer=6,
    n_transfer=6,
    lm_coef=0.5,
    n_train=2000,
    n_examples=2000,
    seed=0,
    precision="float32",
    validation=0.9,
    test=0.5,
    seconds=1.0,
    weights="w",
    data="d",
    digest="0",
)
SHOT = ZeroShot(task="toy/mood", metric="accuracy", model="lstm", step=8, tokens=64, value=0.25, chance=0.5)


def row(**changes) -> Finetuned:
    made = replace(ROW, **changes)
    return replace(made, digest=str(hash(made)))


@pytest.fixture
def place(tmp_path):
    """A tiny model, and a task of two words that it can learn."""
    pairs = [("the fox ran", "yes"), ("the hat sat", "no"), ("the hen ran", "yes"), ("the mat sat", "no")] * 9
    lines = (f"{text} {'and ' * (n // 4)}the cat,{label}\n" for n, (text, label) in enumerate(pairs))
    (tmp_path / "animals.csv").write_text("text,label\n" + "".join(lines))
    stores.ours(tmp_path / "model", n_ctx=11)
    return tmp_path


def wanted(place, jobs) -> list[run.Planned]:
    task = str(place / "animals.csv")
    made = [replace(job, task=task) for job in jobs]
    return run.planned(made, {"transformer": str(place / "model")}, {task: load_task(task)}, "float32")


# ---- the plan


def test_the_jobs_of_the_paper():
    jobs = plan.jobs(6, TOYS, seeds=2, variants=results.VARIANTS)
    assert len(set(jobs)) == len(jobs) == 2 * (5 * 4 + 2 * 6 + 2 * 2 * 4)
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs), "a whole picture exists early"
    mood = {(job.model, job.n_transfer, job.lm_coef) for job in jobs if job.task == "toy/mood" and not job.n_examples}
    assert mood == {
        ("transformer", None, 0.5),
        ("transformer", None, 0.0),
        ("lstm", None, 0.5),
        *(("transformer", n, 0.5) for n in range(-1, 6)),
    }
    few = [job for job in plan.jobs(6, TOYS, parts=["examples"], seeds=1) if job.task == "toy/kinds"]
    assert {(job.n_transfer, job.n_examples) for job in few} == {
        (start, n) for start in (None, -1) for n in (16, 50, 160, 500, None)
    }


def test_named_tasks_take_part_in_every_part():
    jobs = plan.jobs(2, {"mine.csv": 60}, tasks=["mine.csv"], seeds=1, variants=["full", "no_aux"])
    assert {job.task for job in jobs} == {"mine.csv"}
    assert {job.n_examples for job in jobs} == {None, 16, 50} and {job.n_transfer for job in jobs} == {None, -1, 0, 1}


def test_few_examples_are_seen_more_often(bundled):
    config = bundled.model.config
    of = lambda n, n_train=2000: plan.settings(Job("toy/mood", n_examples=n), config, n_train)  # noqa: E731
    assert (of(None).steps, of(None).batch_size) == (4 * 125, 16), "as `gpt1viz finetune` does it"
    assert of(500).steps == of(16).steps == plan.LEAST_UPDATES and of(None, 8000).steps == 4 * 500
    assert of(None, n_train=9).batch_size == 9


def test_fewer_examples_are_the_first_of_more():
    task = load_task("toy/mood")
    some, more, other = (run.cut(task, n, seed).splits["train"] for n, seed in ((16, 0), (50, 0), (16, 1)))
    assert some == more[:16] != other and set(more) <= set(task.splits["train"]) and len(set(more)) == 50
    assert run.cut(task, None, 0) is task


# ---- running


def test_a_grid_is_resumed_where_it_was_killed(command, place, monkeypatch):  # noqa: F811
    monkeypatch.setattr(plan, "LEAST_UPDATES", 6)
    out, task = place / "out", place / "animals.csv"
    first, *others = wanted(place, [Job("", lm_coef=0.5), Job("", lm_coef=0.0), Job("", n_transfer=-1)])
    out.mkdir()
    (out / ".job-killed").mkdir()
    run.append(out / "results.jsonl", run.one(first, out))
    before = (out / "results.jsonl").read_bytes()
    with (out / "results.jsonl").open("ab") as file:
        file.write(before[:40])  # killed while it wrote
    arguments = ["reproduce", "--parts", "table5", "--seeds", 1, "--out", out, "--model", place / "model"]
    code, said, _ = command(*arguments, "--tasks", task, "--dry-run")
    assert code == 0 and "3 runs, 1 of them" in said
    assert said.splitlines()[1:] == ["animals, no auxiliary loss, seed 0", "animals, no pre-training, seed 0"]
    code, said, err = command(*arguments, "--tasks", task)
    assert code == 0 and f"results.jsonl in {out}" in said, err
    assert (out / "results.jsonl").read_bytes().startswith(before), "what was there stays"
    rows = read(out / "results.jsonl")
    assert [each.digest for each in rows] == [each.row.digest for each in (first, *others)]
    assert [each.variant for each in rows] == ["full", "no_aux", "no_pretraining"]
    assert all(0 <= score <= 1 for each in rows for score in (each.validation, each.test))
    here = run.one(others[0], out)
    assert replace(here, seconds=rows[1].seconds) == rows[1], "a process of its own measures the same"
    assert not [*out.glob(".job-*")]
    assert "no auxiliary loss" in (out / "tables.md").read_text(encoding="utf-8")
    assert (out / "figures.html").read_text(encoding="utf-8").count("Plotly.newPlot(") == 1
    code, said, _ = command(*arguments, "--tasks", task, "--lang", "zh")
    assert code == 0 and "共 3 次运行" in said and len(read(out / "results.jsonl")) == 3
    assert "无预训练" in (out / "tables.md").read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_process_outlives_a_command_that_is_stopped(place, number):
    options = ["--model", place / "model", "--tasks", place / "animals.csv", "--out", place / "out", "--workers", 2]
    code = "import sys; from gpt1viz.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "reproduce", *map(str, options)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert b" left" in process.stdout.readline(), "a run has ended, others go on"
        process.send_signal(number)
        said = process.stdout.read().decode()  # ends when the last process that could write to it has ended
        code = process.wait()
    if number == signal.SIGKILL:
        assert code == -number
    else:
        assert code == 130 and "The same command goes on" in said
        assert "Traceback" not in said and "leaked" not in said
    kept = read(place / "out" / "results.jsonl")
    jobs = plan.jobs(2, {"animals": 28}, tasks=["animals"], seeds=1, variants=["full", "no_aux"])
    run.run(wanted(place, jobs)[: len(kept)], place / "out")
    assert read(place / "out" / "results.jsonl")[: len(kept)] == kept


def test_results_of_another_model_are_not_mixed_in(place):
    jobs = wanted(place, [Job("")])
    run.append(place / "results.jsonl", replace(jobs[0].row, weights="others", digest="1"))
    with pytest.raises(GPT1VizError, match="weights differ"):
        run.missing(jobs, place)
    with pytest.raises(GPT1VizError, match="precision differ"):
        (place / "results.jsonl").unlink()
        run.append(place / "results.jsonl", replace(jobs[0].row, precision="bfloat16", digest="1"))
        run.missing(jobs, place)


def test_equal_jobs_have_equal_digests(place):
    one, same, other, less = wanted(place, [Job(""), Job(""), Job("", seed=1), Job("", n_examples=16)])
    assert one.row.digest == same.row.digest
    assert len({one.row.digest, other.row.digest, less.row.digest}) == 3
    (place / "copy.csv").write_bytes((place / "animals.csv").read_bytes())
    moved = run.planned(
        [Job(str(place / "copy.csv"))],
        {"transformer": str(place / "model")},
        {str(place / "copy.csv"): load_task(place / "copy.csv")},
        "float32",
    )
    assert moved[0].row.digest == one.row.digest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--parts", "table9"], "table5, layers, examples"),
        (["--parts", "zero_shot"], "--transformer-run"),
        (["--precision", "float8"], "float32, bfloat16"),
        (["--tasks", "toy/joke"], "toy/joke"),
        (["--model", "nothing-here"], "nothing-here"),
        (["--seeds", "0"], "seeds"),
        (["--out", "FILE", "--model", "model", "--tasks", "animals.csv"], "FILE"),
    ],
)
def test_bad_input_is_one_sentence(command, place, monkeypatch, arguments, words):  # noqa: F811
    monkeypatch.chdir(place)
    (place / "FILE").write_text("")
    code, _, err = command("reproduce", *arguments)
    assert code == 2 and words in err and len(err.splitlines()) == 1 and "{" not in err


# ---- results


def test_an_interval_by_hand():
    found = estimate([0.1, 0.2, 0.3, 0.4, 0.5])
    # s = sqrt(0.025), s / sqrt(5) = 0.0707107, Student's t of four degrees of freedom at 97.5 %: 2.776
    assert found.n == 5 and found.mean == pytest.approx(0.3) and found.half == pytest.approx(0.196293, abs=1e-6)
    assert estimate([0.1, 0.3]).half == pytest.approx(12.706 * 0.1)
    assert math.isnan(estimate([0.4]).half) and len(results.T_95) == 30


def test_rows_are_read_back_and_half_of_one_is_left_out(tmp_path):
    path = tmp_path / "results.jsonl"
    files.write_rows(path, map(results.to_dict, [ROW, SHOT]))
    with path.open("a") as file:
        file.write('{"kind": "other"}\n[1]\n{"kind": "finetune", "task": "toy/mood"}\n{"kind": "finetu')
    assert read(path) == [ROW, SHOT] and read(tmp_path / "none") == []
    run.append(path, row(seed=3))
    assert read(path)[2:] == [row(seed=3)] and json.loads(path.read_text().splitlines()[-1])["seed"] == 3


def test_which_row_of_table_5():
    of = {
        "full": {},
        "no_aux": {"lm_coef": 0.0},
        "no_pretraining": {"n_transfer": -1},
        "lstm": {"model": "lstm"},
    }
    assert {name: row(**changes).variant for name, changes in of.items()} == {name: name for name in of}
    assert row(model="early").variant == "early" and "early" not in results.VARIANTS
    for changes in ({"n_transfer": 5}, {"n_examples": 50}, {"model": "lstm", "n_transfer": -1}):
        assert row(**changes).variant is None


def test_means_of_the_parts():
    rows = [row(), row(seed=1, validation=0.7, test=0.7), row(n_transfer=-1, test=0.1), row(n_transfer=0, test=0.2)]
    rows += [row(task="mine", test=None), row(n_examples=16, test=0.3), SHOT, replace(SHOT, tokens=2), row()]
    table = results.table5(rows)
    assert [*table] == [("toy/mood", "full"), ("toy/mood", "no_pretraining"), ("mine", "full")]
    assert table["toy/mood", "full"].test == Estimate(0.6, pytest.approx(12.706 * 0.1), 2)
    assert table["mine", "full"].test.n == 0 and table["mine", "full"].validation.mean == 0.9
    layers = results.layers(rows)
    assert {n: s.test.mean for n, s in layers["toy/mood"].items()} == {-1: 0.1, 0: 0.2, 6: 0.6} and len(layers) == 1
    few = results.examples(rows)["toy/mood"]
    assert {n: s.test.mean for n, s in few[True].items()} == {16: 0.3, 2000: 0.6} and [*few[False]] == [2000]
    assert [each.tokens for each in results.zero_shot(rows)["toy/mood"]["lstm"]] == [2, 64]


# ---- tables


def test_tables_in_markdown():
    rows = [row(test=0.5), row(seed=1, test=0.7), row(n_transfer=-1, test=0.25), row(n_transfer=2), SHOT]
    lines = tables.table5(rows, "test").splitlines()
    assert lines[0] == "|  | mean of all tasks | toy/mood (accuracy) |" and lines[1] == "| --- | ---: | ---: |"
    assert lines[2] == "| full | 60.0 ± 127.1 | 60.0 ± 127.1 |"
    assert lines[3] == "| no pre-training | 25.0 | 25.0 |" and len(lines) == 4
    assert tables.layers(rows).splitlines()[0] == "| task |  | nothing | 2 | 6 |"
    assert tables.zero_shot(rows).splitlines()[2] == "| toy/mood | LSTM | 50 | 25.0 |"
    bits = [Bits(model="lstm", step=n, tokens=8 * n, value=1.0 + n / 1000) for n in (0, 1, 8, 4096)]
    assert tables.zero_shot([SHOT, *bits]).splitlines()[2:] == [
        "| bits a character | LSTM |  | 1.00 | 5.10 |",  # 8 and 64 tokens are less than a 500th of the run
        "| toy/mood | LSTM | 50 | – | – |",
    ]
    assert tables.tokens(rows).count("\n") == 1
    beside = tables.tokens([*rows, row(model="early", test=0.125), row(model="lstm")]).splitlines()
    assert (
        beside[0] == "|  |  | toy/mood (accuracy) |" and beside[-2] == "| test | transformer, as many tokens | 12.5 |"
    )
    assert r"a\|b" in tables.table5([row(task="a|b")], "test")


def test_the_papers_table_has_the_means_that_it_is_compared_by():
    for variant, scores in tables.PAPER_TABLE.items():
        assert len(scores) == len(tables.PAPER_TASKS)
        assert sum(scores) / 8 == pytest.approx(PAPER[variant], abs=0.1), "the paper rounds; its first mean is 74.65"


def test_every_mean_in_one_csv():
    found = [*csv.DictReader(io.StringIO(tables.as_csv([row(), row(seed=1, test=0.7), SHOT])))]
    assert [each["split"] for each in found] == ["validation", "test", "validation"]
    assert (found[1]["row"], found[1]["runs"], float(found[1]["mean"])) == ("full", "2", 0.6)
    assert found[2]["row"] == "lstm 64" and found[2]["half_interval"] == ""


# ---- drawings


def test_drawings_show_the_means():
    rows = [row(test=0.5), row(seed=1, test=0.7), row(n_transfer=-1, test=0.25), row(n_transfer=2, test=0.4)]
    rows += [row(n_examples=16, test=0.3), SHOT, replace(SHOT, tokens=2, step=0), replace(SHOT, tokens=0)]
    table, layers, examples, shots = drawings.every(rows, "en").values()
    full, scratch = table.data
    assert full.name == "full" and np.allclose(full.x, 60) and np.allclose(full.error_x.array, 127.06)
    assert scratch.name == "no pre-training" and np.allclose(scratch.x, 25)
    assert [*layers.data[0].x] == [-1, 2, 6] and np.allclose(layers.data[0].y, [25, 40, 60])
    assert [*layers.layout.xaxis.ticktext] == ["–", "2", "6"]
    assert [*examples.data[0].x] == [16, 2000] and np.allclose(examples.data[0].y, [30, 60])
    assert [*shots.data[0].x] == [2, 64] and np.allclose(shots.data[0].y, 25)
    assert [*drawings.every([row(test=None)], "zh")] == ["表 5：每一部分带来多少"]


# ---- what is stored


def test_what_is_stored_is_what_the_plan_makes():
    """The digests of all runs, from checkpoint and tasks as they are now; of each job there is one at least."""
    places = {"transformer": "storybook", "lstm": str(BUNDLED)}
    kept = [each for each in results.finetuned(stored()) if each.model in places]  # "early" began from a run
    toys = {name: load_task(name) for name in TOYS}
    jobs = [
        Job(
            each.task,
            each.model,
            n_transfer=None if each.n_transfer == each.n_layer else each.n_transfer,
            lm_coef=each.lm_coef,
            n_examples=None if each.n_examples == each.n_train else each.n_examples,
            seed=each.seed,
        )
        for each in kept
    ]
    found = run.planned(jobs, places, toys, "bfloat16")
    assert [each.row.digest for each in found] == [each.digest for each in kept]
    sizes = {name: len(task.splits["train"]) for name, task in toys.items()}
    transformers = [name for name in results.VARIANTS if name != "lstm"]
    assert not {*plan.jobs(kept[0].n_layer, sizes, seeds=1)} - {*jobs}
    assert not {*plan.jobs(kept[0].n_layer, sizes, seeds=3, parts=["table5"], variants=transformers)} - {*jobs}


@pytest.mark.parametrize(
    ("name", "lang"), [("docs/reproduce.md", "en"), ("README.md", "en"), ("README.zh-CN.md", "zh")]
)
def test_the_tables_in_documents_are_those_of_the_results(name, lang):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert tables.BLOCK.search(text) and tables.filled(text, stored(), lang) == text
