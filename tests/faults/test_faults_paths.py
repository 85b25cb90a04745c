"""Names and links that try to get out of the folders they belong in: through models, runs, uploads and commands."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import stores
from app_driver import PAGES, opened, said
from app_runs import empty_folder, jobs, models, sources  # noqa: F401 (a fixture)
from cases import LONG, helpful, times
from deeds import STORY, TABLE
from tiny_run import train

from gpt1viz import checkpoints, cli, load
from gpt1viz.errors import GPT1VizError
from gpt1viz.text import LANGUAGES, t
from gpt1viz.training.runs import read_run

pytestmark = pytest.mark.area("tricks with paths")
UP = (
    "..",
    "../secret",
    "../../secret",
    "a/../../secret",
    "./../secret",
    "..//secret",
    "a/..",
    "a/../..",
    "secret/../..",
)
WINDOWS = (
    "..\\secret",
    "a\\..\\..\\secret",
    "C:\\secret",
    "C:secret",
    "\\\\host\\share",
    "CON",
    "NUL",
    "a:b",
    "a.",
    "a ",
)
ENCODED = ("%2e%2e/secret", "..%2fsecret", "%2e%2e%2fsecret", "..%c0%afsecret", "%252e%252e%252fsecret", "a%00b")
ALIKE = ("․․/secret", "..∕secret", "．．／secret", "‥/secret", "a\u202e/../secret", "ａ/../secret")
ODD = ("", " ", ".", "...", "/", "//", "~", "~/secret", "~nobody-here/secret", "-", "--help", "*", "?", "[a]", "{text}")
ODD += (
    "a\0b",
    "a\nb",
    "a\tb",
    "x" * 300,
    "x/" * 2000,
    "é" * 200,
    "$HOME",
    "`id`",
    "$(id)",
    ";id",
    "|id",
    "file:///etc",
)
TRICKS = (*UP, *WINDOWS, *ENCODED, *ALIKE, *ODD)


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """A folder that nobody has offered: a checkpoint, a run and a text, which would be read if they were found."""
    parent = tmp_path_factory.mktemp("house")
    stores.ours(parent / "secret")
    train(parent / "private run", steps=2)
    (parent / "secret.txt").write_text(STORY)
    return parent


@pytest.fixture
def house(secret, tmp_path, monkeypatch):
    """The same beside a folder of runs with one run "a", where the server stands."""
    house = Path(shutil.copytree(secret, tmp_path / "house"))
    (house / "runs").mkdir()
    train(house / "runs" / "a", steps=2)
    monkeypatch.setenv("GPT1VIZ_RUNS", str(house / "runs"))
    monkeypatch.chdir(house / "runs")
    jobs._jobs.clear()
    monkeypatch.setattr(jobs, "_begin", lambda *_: None)
    return house


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tricks(house: Path) -> list[str]:
    return [*TRICKS, str(house / "secret"), str(house / "private run"), f"{house}/runs/../secret"]


# ---- the app


def test_ids_of_models(house, case):
    before = everything(house)
    for trick in tricks(house):
        for model_id in (
            trick,
            f"runs/{trick}",
            f"runs/a@{trick}",
            f"runs/{trick}@2",
            f"hf:{trick}",
            f"runs/a/{trick}",
        ):
            with case(model_id[:60]):
                place = models.location(model_id)
                assert place is None or place.is_relative_to(house / "runs" / "a"), place
                assert models.stamp(model_id) == 0.0 or place
                if place is None:
                    with pytest.raises(GPT1VizError) as refusal:
                        models.load(model_id, 0.0) if model_id.startswith("runs/") else checkpoints.load(
                            f"hf:{trick}", download=False
                        )
                    assert helpful(refusal.value)
    assert everything(house) == before


def test_names_of_runs(house, case):
    before = everything(house)
    for trick in (*tricks(house), "a@2", ".lock", ".a"):
        if jobs.is_name(trick):  # odd but harmless: it is one folder in the folder of runs
            with case(trick):
                assert jobs.path_of(trick).parent == house / "runs" and jobs.path_of(trick).name == trick
            continue
        for act in (jobs.find, jobs.delete, jobs.stop, jobs.resume, lambda name: jobs.start(name, "pretrain", [])):
            with case(f"{act.__name__} {trick[:60]!r}"):
                if act is jobs.find:
                    assert jobs.find(trick) is None
                    continue
                with pytest.raises(GPT1VizError) as refusal:
                    act(trick)
                assert helpful(refusal.value) in ("app_run_name", "training_no_run")
    assert everything(house) == before and jobs.with_checkpoints() == ["a"]


def test_links_out_of_the_folder_of_runs(house, case):
    (house / "runs" / "out").symlink_to(house / "private run")
    (house / "runs" / "up").symlink_to("..")
    (house / "runs" / "round").symlink_to(house / "runs" / "round")
    before = everything(house)
    for name in ("out", "up", "round"):
        with case(f"{name} is not listed"):
            assert jobs.with_checkpoints() == ["a"] and [run.name for run in jobs.all_runs()] == ["a"]
        with case(f"{name} is no model"):
            assert models.location(f"runs/{name}") is None and models.location(f"runs/{name}@2") is None
        for act in (jobs.delete, jobs.resume, jobs.stop, lambda name: jobs.start(name, "pretrain", [])):
            with case(f"{act.__name__} {name}"), pytest.raises(GPT1VizError) as refusal:
                act(name)
            assert helpful(refusal.value) == "app_run_link"
    assert everything(house) == before and read_run(house / "private run").step == 2


def test_names_of_uploads(house, case, tmp_path):
    from task_files import rows_of

    for trick in tricks(house):
        for name in (trick, f"{trick}.txt", f"a./{trick}", f"{trick}.jsonl", f"x.{trick}"):
            with case(f"a text called {name[:60]!r}"):
                named = sources.source("upload", [SimpleNamespace(name=name, getvalue=lambda: STORY.encode())]).files
                assert all(Path(file).name == file and len(file) < 80 and file.isascii() for file in named), named
            with case(f"a table called {name[:60]!r}"):
                try:
                    rows_of.__wrapped__(name, TABLE.encode())
                except GPT1VizError as refusal:
                    helpful(refusal)
    assert not (tmp_path / "secret").exists()


def test_folders_of_texts(house, case, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_TEXTS", str(house / "runs"))
    for trick in tricks(house):
        with case(trick[:60]), pytest.raises(GPT1VizError) as refusal:
            sources.source(f"{sources.FOLDER}{trick}")
        assert helpful(refusal.value) == "text_missing"
    assert [*sources.offered("en")].count("folder:runs") == 1


LINKS = ("../../secret", "/etc/passwd", "runs/../secret", "runs/a@../2", "%2e%2e%2fsecret", "runs/a\\..\\..\\secret")
MANY = (*LINKS, *(f"runs/{trick}" for trick in TRICKS if trick.strip() and "\0" not in trick))


@pytest.mark.parametrize("page", ["attention", "runs"] if not LONG else [*PAGES, "runs", "train", "compare"])
def test_links_to_models_and_runs(page, house, case):
    """Each opens the page on the bundled model, and says that there is no such model."""
    for number, trick in enumerate(MANY[: times(2, 6)]):
        lang = [*LANGUAGES][number % 2]
        with case(f"{page}: {trick[:60]}"):
            app = opened(page, model=trick, run=trick, name=trick, watch=trick, compare=f"{trick},a", lang=lang)
            assert not app.exception and not app.error
            assert app.session_state.usable_model == "storybook"
            told = [warning.value for warning in app.warning]
            missing = t("app.model_missing", lang, model="@@", other="storybook").partition("@@")[2]
            assert any(text.endswith(missing) for text in told), told
            assert str(house) not in said(app)
    with case(f"{page}: a quoted link"):
        app = opened(page, model=quote("runs/a@2", safe=""))
        assert not app.exception and app.session_state.usable_model == "storybook"


# ---- the command line


def words_of(trick: str, house: Path) -> list[list[str]]:
    """Every place of the command line that takes a name or a path."""
    base, story = str(house / "secret"), str(house / "secret.txt")
    return [
        ["info", trick],
        ["explain", "the fox", "--model", trick],
        ["export", trick, str(house / "out")],
        ["download", trick],
        ["download", f"hf:{trick}"],
        ["info", f"hf:{trick}"],
        ["train", trick, "--run", str(house / "out"), "--steps", "1"],
        ["train", f"hf:{trick}", "--run", str(house / "out"), "--steps", "1"],
        ["train", "books:train", "--books", trick, "--run", str(house / "out"), "--steps", "1"],
        ["train", story, "--recipe", trick, "--run", str(house / "out"), "--steps", "1"],
        ["train", "--resume", trick],
        ["finetune", trick, "toy/mood", "--run", str(house / "out")],
        ["finetune", base, trick, "--run", str(house / "out")],
        ["finetune", base, "glue/sst2", "--folder", trick, "--run", str(house / "out")],
        ["finetune", "--resume", trick],
        ["evaluate", trick],
        ["evaluate", base, trick],
        ["runs", "compare", trick],
        ["runs", "remove", trick, "--yes"],
        ["reproduce", "--model", trick, "--dry-run", "--out", str(house / "out")],
    ]


FOUND = ("..", "../secret", "./../secret", "..//secret", "a/..", "/", "//", "~", ".", "-", "a", "--help", "*", "?")


def test_names_in_commands(house, case, capsys, monkeypatch):
    """The command line reads what its user may read; whatever stands there, it says what it makes of it."""
    monkeypatch.setenv("HOME", str(house / "home"))
    before = everything(house)
    asked = [words for trick in TRICKS for words in words_of(trick, house)]
    for words in asked[:: times(9, 1)]:
        with case(" ".join(words)[:90]):
            code = cli.main(words)
            text = capsys.readouterr()
            assert code in (0, 2) and "Traceback" not in text.err
            assert code == 0 or 1 <= len(text.err.strip().splitlines()) <= 3
        shutil.rmtree(house / "out", ignore_errors=True)  # where it may write: folders such as "." hold a text
    assert everything(house) == before


def test_folders_to_write(house, case, capsys):
    """Where something else is, or nothing can be, nothing is written."""
    before = everything(house)
    base = str(house / "secret")
    (house / "runs" / "round").symlink_to(house / "runs" / "round")
    taken = ("..", ".", "/", "~", "a", "../secret.txt", "/dev/null")
    for where in (*taken, "../secret.txt/x", "x" * 300, "/proc/x", "round"):
        with case(f"export to {where[:30]!r}"):
            assert cli.main(["export", base, where]) == 2
            with pytest.raises(GPT1VizError) as refusal:
                checkpoints.save(stores.model(), where, stores.tokenizer())
            assert helpful(refusal.value) == ("save_other_files" if where in taken else "save_failed")
    for where in ("../secret.txt", "../secret.txt/x", "x" * 300, "/proc/x", "/dev/null", "a"):
        with case(f"train in {where[:30]!r}"):
            assert cli.main(["train", str(house / "secret.txt"), "--run", where, "--steps", "1"]) == 2
            assert "Traceback" not in capsys.readouterr().err
    assert everything(house) == before and load(base)
