"""Full disks, losses that are not finite, half-written files: a clear sentence, and the last checkpoint goes on."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from tiny_run import losses, one_thread, same, train, weights  # noqa: F401 (a fixture)

from gpt1viz import checkpoints, load
from gpt1viz.errors import GPT1VizError
from gpt1viz.training import files, rundir
from gpt1viz.training.runs import list_runs, read_run, remove_run, request_stop


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "whole"
    train(path)
    return path


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def no_space_for_tensors(*_, **__):
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


FULL = {
    "metrics": (files, "line", no_space),
    "status": (files, "write_text", no_space),
    "weights": (checkpoints, "save_file", no_space_for_tensors),
    "optimizer": (rundir, "save_optimizer", no_space_for_tensors),
}


@pytest.mark.parametrize("where", FULL)
def test_a_full_disk(where, whole, tmp_path, monkeypatch):
    path = tmp_path / "full"
    module, name, fault = FULL[where]

    def fill(row, model):
        if row["step"] == 13:
            monkeypatch.setattr(module, name, fault)
            monkeypatch.setattr(rundir, "STATUS_EVERY", 0.0)

    with pytest.raises(GPT1VizError) as stop:
        train(path, callbacks=[fill])
    assert stop.value.code == "training_disk_full"
    assert stop.value.params["step"] == 8
    assert "make room" in str(stop.value)
    monkeypatch.undo()
    goes_on(path, whole)


def goes_on(path, whole):
    """Nothing half-written lies about, the last checkpoint loads, and the run ends as if nothing had been."""
    assert read_run(path).state in ("failed", "stopped")
    assert load(path).info.id == "full@8"
    torch.manual_seed(1)
    train(path, resume=True)
    assert losses(path) == losses(whole)
    assert same(weights(path), weights(whole))


def test_a_disk_that_really_refuses(whole, tmp_path):
    """From step 13 on the system cuts files off at 3 kB, in the middle of a checkpoint's weights."""
    resource = pytest.importorskip("resource")
    path, (soft, hard) = tmp_path / "full", resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(row, model):
        if row["step"] == 13:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))

    try:
        with pytest.raises(GPT1VizError) as stop:
            train(path, callbacks=[fill])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert stop.value.code == "training_unwritable"
    assert "too large" in str(stop.value)
    goes_on(path, whole)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GPT1VizError) as refusal:
        train(tmp_path / "file" / "run")
    assert refusal.value.code == "training_unwritable"


def test_a_loss_that_is_not_finite(tmp_path):
    path = tmp_path / "burst"

    def burst(row, model):
        if row["step"] == 12:
            model.tokens_embed.weight.data[3, 1] = torch.inf

    with pytest.raises(GPT1VizError) as stop:
        train(path, callbacks=[burst])
    assert stop.value.code == "training_not_finite"
    assert stop.value.params["step"] == 13
    run = read_run(path)
    assert run.state == "failed"
    assert run.message["code"] == "errors.training_not_finite"
    assert [row["step"] for row in run.metrics()] == list(range(1, 13))
    assert load(path).info.id == "burst@8"


def test_a_rate_that_is_far_too_high(tmp_path):
    with pytest.raises(GPT1VizError) as stop:
        train(tmp_path / "high", lr=1e30, clip=None)
    assert stop.value.code in ("training_not_finite", "save_not_finite")
    assert load(tmp_path / "high").model.tokens_embed.weight.isfinite().all()


def test_a_fault_in_a_callback_is_noted_and_passed_on(tmp_path):
    def break_off(row, model):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError):
        train(tmp_path / "run", callbacks=[break_off])
    run = read_run(tmp_path / "run")
    assert (run.state, run.message["code"]) == ("failed", "errors.training_crashed")
    assert "mine" in run.message["params"]["fault"]


def test_a_run_is_not_written_over(whole):
    before = losses(whole)
    with pytest.raises(GPT1VizError) as refusal:
        train(whole)
    assert refusal.value.code == "training_run_exists"
    assert losses(whole) == before
    assert read_run(whole).state == "finished"


def test_a_checkpoint_that_somebody_reads_stays_until_the_next(tmp_path, monkeypatch):
    """As on Windows, where an open file can be neither renamed nor deleted."""
    rename, refused = Path.rename, []

    def in_use(path, target):
        if path.name == "step-3" and len(refused) < 2:
            refused.append(sorted(entry.name for entry in path.parent.iterdir()))
            raise PermissionError(errno.EACCES, "in use")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", in_use)
    assert train(tmp_path / "run", steps=9, save_minutes=0.0).state == "finished"
    assert len(refused) == 2 and all("step-3" in names for names in refused)
    assert [step for step, _ in read_run(tmp_path / "run").checkpoints()] == [0, 1, 2, 4, 8, 9]
    assert not list((tmp_path / "run" / "checkpoints").glob(".*"))


# ---- reading


def test_rows_may_end_in_half_a_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"step": 1}\nrubbish\n[1]\n{"step": 2}\n{"step": 3')
    rows, end = files.read_rows(path)
    assert [row["step"] for row in rows] == [1, 2]
    with path.open("ab") as file:
        file.write(b'3}\n{"st')
    assert files.read_rows(path, end)[0] == [{"step": 33}]
    assert files.read_rows(tmp_path / "none") == ([], 0)


def test_runs_in_a_folder(whole, tmp_path):
    for name in ("no_status", "half"):
        (tmp_path / name).mkdir()
    (tmp_path / "half" / "status.json").write_text('{"state": "run')
    train(tmp_path / "one", steps=1)
    train(tmp_path / "two", steps=1)
    assert [run.name for run in list_runs(tmp_path)] == ["two", "one"]
    assert list_runs(tmp_path / "nowhere") == []
    with pytest.raises(GPT1VizError) as refusal:
        read_run(tmp_path / "half")
    assert refusal.value.code == "training_no_run"


def test_a_running_one_is_left_alone(tmp_path):
    seen = []

    def look(row, model):
        if row["step"] == 2:
            with pytest.raises(GPT1VizError) as refusal:
                remove_run(tmp_path / "run")
            seen.extend([read_run(tmp_path / "run").state, refusal.value.code])
            request_stop(tmp_path / "run")

    assert train(tmp_path / "run", callbacks=[look]).step == 2
    assert seen == ["running", "training_remove_running"]
    request_stop(tmp_path / "run")  # it has ended: nothing to ask
    assert not (tmp_path / "run" / "STOP").exists()
    remove_run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_run_says_of_itself(whole):
    run = read_run(whole)
    assert (run.state, run.step, run.progress) == ("finished", 30, 1.0)
    assert run.settings["lr"] == 1e-2
    assert run.config.n_embd == 12
    assert [step for step, _ in run.checkpoints()] == [0, 1, 2, 4, 8, 16, 30]
    assert [(folder / "optimizer.safetensors").exists() for _, folder in run.checkpoints()] == [False] * 6 + [True]


def test_any_checkpoint_of_a_run_loads(whole):
    newest, early = load(str(whole)), load(f"{whole}@4")
    assert (newest.info.id, early.info.id) == ("whole@30", "whole@4")
    assert not torch.equal(newest.model.tokens_embed.weight, early.model.tokens_embed.weight)
    with pytest.raises(GPT1VizError) as refusal:
        load(f"{whole}@5")
    assert refusal.value.code == "run_step"
    with pytest.raises(GPT1VizError) as refusal:
        load(f"{whole}x@5")
    assert refusal.value.code == "no_such_model"
