"""A full disk, or one that refuses, at every write of every command: one sentence, and nothing that was is lost."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import stores
from cases import times
from deeds import LEARN, STORY, TABLE, TUNE

from gpt1viz import load
from gpt1viz.text import LANGUAGES
from gpt1viz.training.runs import read_run

pytestmark = pytest.mark.area("a full disk")
COMMANDS = {
    "train": ["train", "story.txt", "--run", "runs/a", *LEARN],
    "resume": ["train", "--resume", "runs/learned", "--steps", "6"],
    "finetune": ["finetune", "base", "table.csv", "--run", "runs/b", *TUNE],
    "finetune again": ["finetune", "--resume", "runs/tuned", "--steps", "6"],
    "evaluate": ["evaluate", "runs/tuned", "--split", "validation", "--out", "said/here.jsonl"],
    "evaluate on text": ["evaluate", "base", "story.txt"],
    "export": ["export", "base", "out"],
    "export in place of another": ["export", "base", "exported"],
}


@pytest.fixture(scope="module")
def home(victim, tmp_path_factory):
    """A folder with a text, a table, a model, a run that was trained and one that was fine-tuned."""
    home = tmp_path_factory.mktemp("home")
    (home / "story.txt").write_text(STORY)
    (home / "table.csv").write_text(TABLE)
    (home / "said").mkdir()
    stores.ours(home / "base")
    for words in (
        ["train", "story.txt", "--run", "runs/learned", *LEARN],
        ["finetune", "base", "table.csv", "--run", "runs/tuned", *TUNE],
        ["export", "base", "exported"],
    ):
        code, text, _ = said(victim, home, words)
        assert code == 0, text
    shutil.rmtree(home / "cache")
    return home


def said(victim, home: Path, words: list[str], **job) -> tuple[int, str, int]:
    """(exit code, what the command printed, number of writes). A command never ends in a traceback."""
    environment = {"GPT1VIZ_CACHE": str(home / "cache"), "HOME": str(home)}
    done = victim("command", words=words, cwd=home, below=home, environment=environment, **job)
    assert not done.killed and done.said == "" and "Traceback" not in done.printed, done
    return done.code, done.printed, done.writes


def refused(text: str, code: int, *reasons: str) -> None:
    """One sentence that names the system's reason."""
    last = text.strip().splitlines()[-1]
    assert code == 2 and any(reason in last for reason in reasons), (code, text)


def states(home: Path) -> dict[str, object]:
    """What was there before and must load as before."""
    found: dict[str, object] = {name: len(load(home / name).tokenizer.vocab) for name in ("base", "exported")}
    for name in ("learned", "tuned"):
        run = read_run(home / "runs" / name)
        found[name] = (min(run.step, 4), len(load(run.path).tokenizer.vocab), len(run.metrics()) >= 4)
    return found


def again(words: list[str], home: Path) -> list[str]:
    """The command to give once there is room: a run that had begun is resumed."""
    if "--run" in words and (path := home / words[words.index("--run") + 1]).joinpath("status.json").exists():
        return [words[0], "--resume", str(path)]
    return words


FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize("name", COMMANDS)
def test_full_at_every_write(name, victim, home, case, tmp_path):
    words = COMMANDS[name]
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    code, text, writes = said(victim, copy, words)
    assert code == 0, text
    before = states(home)
    ats = sorted({2, writes, *range(1, writes + 1, max(1, writes // times(1, 5)))})
    for number, at in enumerate(ats):
        lang = [*LANGUAGES][number % 2]
        with case(f"write {at} of {writes}"):
            shutil.rmtree(copy)
            shutil.copytree(home, copy)
            code, text, _ = said(victim, copy, [*words, "--lang", lang], at=at, fault="ENOSPC")
            if code:  # what is only tidied away may fail in silence
                refused(text, code, FULL, "disk is full", "磁盘已满")
            assert states(copy) == before
            code, text, _ = said(victim, copy, again(words, copy))  # with room, it is done
            assert code == 0, text
    shutil.rmtree(copy)


@pytest.mark.parametrize("name", COMMANDS)
def test_cut_off_in_the_middle_of_a_file(name, victim, home, case, tmp_path):
    copy = tmp_path / "copy"
    before = states(home)
    for limit in (1, 100, 700, 3000, 9000, 30_000)[:: times(3, 1)]:
        with case(f"files of {limit} bytes"):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(home, copy)
            code, text, _ = said(victim, copy, COMMANDS[name], bytes=limit, fault="EFBIG")
            if code:
                refused(text, code, os.strerror(errno.EFBIG))
            assert states(copy) == before
    shutil.rmtree(copy)


def test_a_full_disk_behind_standard_output(victim, home, case):
    for words in (["info"], ["explain", "the fox"], ["generate", "the fox", "-n", "3"], ["runs", "list"], ["--help"]):
        with case(words):
            done = victim("command", words=words, cwd=home, out="/dev/full", below=home)
            assert not done.killed and done.said == ""
            refused(done.printed, done.code, FULL)


# ---- folders that may not be written

REFUSALS = {"EROFS": errno.EROFS, "EACCES": errno.EACCES, "EIO": errno.EIO, "EMFILE": errno.EMFILE}


@pytest.mark.area("folders that refuse")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_system_that_refuses_every_write(name, victim, home, case):
    before = states(home)
    for number, fault in enumerate(list(REFUSALS)[: times(1, 4)]):
        with case(fault):
            words = [*COMMANDS[name], "--lang", [*LANGUAGES][number % 2]]
            code, text, _ = said(victim, home, words, at=1, fault=fault)
            refused(text, code, os.strerror(REFUSALS[fault]))
            assert states(home) == before


@pytest.mark.area("folders that refuse")
def test_a_folder_without_rights(victim, home, case):
    """As the system does it: the commands run as a user who may read here and not write."""
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        copy = Path(shutil.copytree(home, Path(parent) / "home"))
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        if (able := victim("can_write", folder=copy, nobody=True)).code:
            pytest.skip(f"this user cannot be kept from writing, or cannot read the project: {able}")
        before = states(copy)
        for name, words in COMMANDS.items():
            with case(name):
                code, text, _ = said(victim, copy, words, nobody=True)
                refused(text, code, os.strerror(errno.EACCES))
                assert states(copy) == before
        with case("runs remove"):
            code, text, _ = said(victim, copy, ["runs", "remove", "runs/learned", "--yes"], nobody=True)
            refused(text, code, os.strerror(errno.EACCES))
            assert states(copy) == before
        environment = {"GPT1VIZ_RUNS": str(copy / "runs")}
        for button, run in (("start", "new"), ("resume", "learned"), ("delete", "learned"), ("stop", "learned")):
            with case(f"{button} in the app"):
                done = victim("press", button=button, name=run, nobody=True, environment=environment)
                assert done.said.startswith("app_runs_unwritable: ") or button in ("stop", "resume"), done
                assert states(copy) == before
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755)


@pytest.mark.area("folders that refuse")
@pytest.mark.parametrize("button", ["start", "resume", "delete"])
def test_buttons_of_the_app_where_the_disk_refuses(button, victim, home, case, tmp_path):
    (home / "runs" / "learned" / "STOP").touch()
    for fault in ("ENOSPC", "EROFS", "EACCES"):
        with case(fault):
            job = {"environment": {"GPT1VIZ_RUNS": str(home / "runs")}, "below": home / "runs", "fault": fault, "at": 1}
            done = victim("press", button=button, name="new" if button == "start" else "learned", **job)
            assert done.code == 2 and done.said.startswith("app_runs_unwritable: "), done
            assert os.strerror(getattr(errno, fault)) in done.said
    (home / "runs" / "learned" / "STOP").unlink()
