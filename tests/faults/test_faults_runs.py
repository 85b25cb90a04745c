"""Folders of runs that are damaged: lists, pages and commands show what can be read of them."""

import json
import random
import shutil
from pathlib import Path

import pytest
from app_driver import opened
from app_runs import empty_folder, jobs, live  # noqa: F401 (a fixture)
from cases import helpful, times
from damaged import ABSURD, changed, places, with_value, without
from tiny_run import train

from gpt1viz import cli, load
from gpt1viz.errors import GPT1VizError
from gpt1viz.training.plan import Plan
from gpt1viz.training.runs import STATES, list_runs, read_run

pytestmark = pytest.mark.area("damaged runs")
SMALL = ("status.json", "settings.json", "config.json", "metrics.jsonl", "samples.jsonl", "tokenizer.json")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "a"
    train(path, steps=8, sample_every=4)
    return path


@pytest.fixture
def damaged(good, folder):
    """A copy of the run in the app's folder of runs, with the bytes of its small files."""
    path = Path(shutil.copytree(good, folder / "a"))
    return path, {name: (path / name).read_bytes() for name in SMALL}


def looked_at(path: Path) -> None:
    """As the command line, the pages and `load` do; a refusal has its sentence."""
    try:
        run = read_run(path)
        assert run.state in STATES and run.kind in ("pretrain", "finetune")
        assert [found.name for found in list_runs(path.parent)] == [path.name]
        live.line(run)
        assert all(isinstance(row, dict) for row in run.metrics() + run.samples())
    except GPT1VizError as fault:
        assert helpful(fault) == "training_no_run"
    for read in (load, Plan.of_run):
        try:
            read(path)
        except GPT1VizError as fault:
            helpful(fault)
    assert cli.main(["runs", "list", "--folder", str(path.parent)]) == 0
    assert cli.main(["runs", "compare", str(path), str(path)]) in (0, 2)


def test_bytes_changed_anywhere(damaged, case, capsys):
    path, files = damaged
    for seed in range(times(12, 100)):
        draws = random.Random(seed)
        name = draws.choice(SMALL)
        with case(f"{name}, seed {seed}"):
            (path / name).write_bytes(changed(files[name], draws))
            looked_at(path)
            assert "Traceback" not in capsys.readouterr().err
        (path / name).write_bytes(files[name])


def test_absurd_values(damaged, case, capsys):
    path, files = damaged
    tried = []
    for name in ("status.json", "settings.json", "config.json"):
        values = json.loads(files[name])
        tried += [(name, values, at, [new]) for at in dict.fromkeys(places(values)) for new in ABSURD]
        tried += [(name, values, at, []) for at in dict.fromkeys(places(values)) if at]
    for name, values, at, new in random.Random(0).sample(tried, times(12, 100)):
        with case(f"{name}: {'.'.join(map(str, at))} {repr(new)[:40] if new else 'left out'}"):
            (path / name).write_text(json.dumps(with_value(values, at, new[0]) if new else without(values, at)))
            looked_at(path)
            assert "Traceback" not in capsys.readouterr().err
        (path / name).write_bytes(files[name])


def test_files_missing_and_cut(damaged, case, capsys):
    path, files = damaged
    for name, whole in files.items():
        for keep in sorted({-1, 0, 1, len(whole) // 2, len(whole) - 2}):
            with case(f"{name} {'missing' if keep < 0 else f'cut to {keep} bytes'}"):
                (path / name).unlink()
                if keep >= 0:
                    (path / name).write_bytes(whole[:keep])
                looked_at(path)
            (path / name).write_bytes(whole)
    for step in (path / "checkpoints").iterdir():
        for file in step.iterdir():
            with case(f"{step.name} without {file.name}"):
                kept = file.read_bytes()
                file.unlink()
                looked_at(path)
                assert jobs.with_checkpoints() == ["a"]
            file.write_bytes(kept)
    capsys.readouterr()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_of_runs(lang, damaged, case):
    path, files = damaged
    faults = [
        ("status.json", b'{"state": "failed", "step": "x", "message": {"code": "errors.nothing", "params": {}}}'),
        ("settings.json", b'{"kind": ["a"], "prompts": 3, "lr": {"a": 1}}'),
        ("config.json", b"[]"),
        ("metrics.jsonl", b'{"kind": "train", "step": "x", "loss": [1]}\n{"kind": "train"}\n'),
        ("samples.jsonl", b'{"step": "x"}\n{"text": 3, "step": 4}\n'),
        ("status.json", b'{"state": "finished", "step": 1e999}'),
    ]
    for name, content in faults[:: times(6, 1)]:
        with case(f"{name} {content[:40]}"):
            (path / name).write_bytes(content)
            for page in ("runs", "train"):
                app = opened(page, run="a", lang=lang, watch="a")
                assert not app.exception, app.exception
        (path / name).write_bytes(files[name])
