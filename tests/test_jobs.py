"""Training as processes of the server: started, bounded, stopped, resumed, deleted; names that are no paths."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from app_runs import empty_folder, jobs, models, until  # noqa: F401 (a fixture)

from gpt1viz.errors import GPT1VizError
from gpt1viz.training.runs import read_run

TEXT = b"the fox and the hen ran to the den . the cat sat on the mat .\nthe hat on the rat .\n" * 40
SMALL = [f"--set={change}" for change in ("n_layer=1", "n_embd=12", "n_head=3", "n_ctx=11", "vocabulary=29")]
SMALL += ["--set=batch_size=4", "--set=sample_tokens=3", '--set=prompts=["the fox"]']
LONG = ["train", "{text}", "--minutes", "10", *SMALL]


pytestmark = pytest.mark.usefixtures("folder")


def state(name):
    run = jobs.find(name)
    return run.state if run else None


def refused(call, *arguments) -> str:
    with pytest.raises(GPT1VizError) as caught:
        call(*arguments)
    assert all(caught.value.message(lang) for lang in ("en", "zh"))
    return caught.value.code


def test_a_run_is_started_stopped_resumed_used_and_deleted(folder):
    jobs.start("a story", "pretrain", LONG, files={"0.txt": TEXT})
    assert jobs.going_on() == ["a story"] and jobs.preparing("a story")
    assert refused(jobs.start, "another", "pretrain", LONG) == "app_runs_full"
    assert refused(jobs.start, "a story", "pretrain", LONG) == "app_run_taken"
    until(lambda: (run := jobs.find("a story")) and run.step > 20)
    process = jobs.job("a story").process
    assert not jobs.preparing("a story") and os.getpriority(os.PRIO_PROCESS, process.pid) >= 10
    assert refused(jobs.delete, "a story") == "app_delete_running"
    jobs.stop("a story")
    until(lambda: jobs.job("a story").process is None)
    assert process.returncode == 130 and state("a story") == "stopped" and jobs.going_on() == []
    before = jobs.find("a story").step
    assert max(dict(jobs.find("a story").checkpoints())) == before

    (folder / "a story" / "STOP").touch()  # asked for too late: the run goes on all the same
    jobs.resume("a story")
    until(lambda: jobs.find("a story").step > before)
    jobs.stop("a story")
    until(lambda: state("a story") == "stopped")
    jobs.resume("a story")  # at once, while the process is still on its way out
    assert jobs.preparing("a story")
    jobs.stop("a story")
    until(lambda: jobs.job("a story").process is None)
    assert refused(jobs.start, "a story", "pretrain", LONG) == "app_run_taken"

    last = jobs.find("a story").step
    assert jobs.with_checkpoints() == ["a story"]
    assert models.location("runs/a story") == models.location(f"runs/a story@{last}")
    loaded = models.load("runs/a story@4", models.stamp("runs/a story@4"))
    assert loaded.info.id == "a story@4" and loaded.model.config.n_layer == 1
    jobs.delete("a story")
    assert not (folder / "a story").exists() and models.location("runs/a story") is None
    assert refused(models.load, "runs/a story", 0.0) == "app_no_checkpoint"


def test_a_run_that_cannot_begin_says_why_and_leaves_its_name(folder):
    jobs.start("bad", "pretrain", LONG, files={"0.txt": b"binary \0 data"})
    until(lambda: jobs.job("bad").process is None)
    assert jobs.find("bad") is None and str(folder) not in jobs.job("bad").fault
    assert jobs.job("bad").fault.startswith("text" + os.sep + "0.txt, line 1: binary data")
    jobs.start("bad", "pretrain", LONG, files={"0.txt": TEXT})
    assert jobs.job("bad").fault is None
    jobs.stop("bad")  # while it still prepares
    until(lambda: jobs.job("bad").process is None)
    assert jobs.job("bad").fault is None and jobs.going_on() == []


SERVER = """
import sys
sys.path[:0] = ["app"]
import jobs, time
jobs.start("a", "pretrain", sys.argv[1:], files={"0.txt": open("/dev/stdin", "rb").read()})
print(jobs.job("a").process.pid, flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_a_server_that_is_killed_leaves_a_run_that_can_be_resumed(folder):
    root = Path(__file__).parents[1]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, *LONG], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    server.stdin.write(TEXT)
    server.stdin.close()
    server.stdout.readline()
    until(lambda: (run := jobs.find("a")) and run.step > 20)
    server.kill()
    server.wait(30)
    server.stdout.close()
    until(lambda: state("a") == "stopped")
    step = read_run(folder / "a").step
    assert max(dict(jobs.find("a").checkpoints())) == step  # not only what was kept on the way
    jobs.resume("a")
    until(lambda: jobs.find("a").step > step)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "a\\b", "/a", "a@3", ".a", "a.", " a", "a\n", "a\0", "x" * 41]
)
def test_a_name_is_no_path(name, folder):
    assert refused(jobs.start, name, "pretrain", LONG) == "app_run_name"
    assert refused(jobs.delete, name) == "app_run_name"
    assert jobs.find(name) is None and models.location(f"runs/{name}") is None
    assert not folder.exists()


@pytest.mark.parametrize("model_id", ["runs/a@", "runs/a@-1", "runs/a@٣", "runs/a@1@1", "runs/../a", "/tmp", "a"])
def test_an_id_is_no_path(model_id):
    assert models.location(model_id) is None


def test_names_in_any_script_and_free_ones(folder):
    assert jobs.is_name("小故事 2") and jobs.is_name("a") and jobs.is_name("v1.2-b_c")
    assert jobs.free_name("small") == "small"
    for name in ("small", "small-2"):
        (folder / name).mkdir(parents=True)
    assert jobs.free_name("small") == "small-3"


def test_a_read_only_server_changes_nothing(folder, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_READ_ONLY", "1")
    for call in (jobs.stop, jobs.delete, jobs.resume):
        assert refused(call, "a") == "app_read_only"
    assert refused(jobs.start, "a", "pretrain", LONG) == "app_read_only"
    assert not folder.exists()


def test_what_is_kept_is_bounded():
    kept = models.Kept(10)
    made = [kept.get(n, lambda n=n: n, lambda n: 4) for n in (0, 1, 0, 2)]
    assert made == [0, 1, 0, 2] and kept.total == 8
    assert kept.get(0, lambda: "again", lambda _: 4) == 0  # used more lately than 1, which had to go
    assert kept.get(1, lambda: "again", lambda _: 4) == "again"
    assert kept.get("large", lambda: "large", lambda _: 99) == "large" and kept.total == 99
