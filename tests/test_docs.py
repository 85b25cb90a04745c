"""What stands beside the code: links that lead somewhere, the reference, the change log, the workflow."""

import importlib.util
import re
import shlex
from itertools import dropwhile
from types import SimpleNamespace

import pytest
import yaml
from house import ROOT, label, sources
from typer.main import get_command

import gpt1viz
from gpt1viz import cli, cli_training


def script(name: str):
    """A file of docs/, which is no package, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


links = script("links")


# links


def test_every_link_leads_somewhere():
    read = {label(path) for path in links.texts()}
    assert {"README.md", "README.zh-CN.md", "CHANGELOG.md", "docs/scaling.md", "notebooks/zh/00_tour.ipynb"} <= read
    assert list(links.faults()) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](there.md)", None),
        ("[a](there.md#two-words-here)", None),
        ("[a](there.md#again-1)", None),
        ("[a](#own)\n\n# Own", None),
        ("[a](https://example.org/x#y)", None),
        ("`model(a)[0](gone.md)`, and\n\n```\n[a](gone.md)\n```", None),
        ("`docs/there.md`", None),
        ("[a](gone.md)", "no such file"),
        ("![a](../outside.png)", "no such file"),
        ("[a](there.md#three)", "no such heading"),
        ("[a](#other)", "no such heading"),
        ("[a]: gone.md", "no such file"),
        ('<img src="gone.png">', "no such file"),
        ("[a](https:/example.org)", "no address"),
        ("`docs/gone.md`", "no such file"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path, text, wrong):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/there.md").write_text("## Two *words*, here\n\n# Again\n\n# Again\n\n```\n# three\n```\n")
    (tmp_path / "there.md").symlink_to("docs/there.md")
    (tmp_path / "read.md").write_text(text)
    found = list(links.faults(tmp_path))
    assert len(found) == (wrong is not None)
    assert all(line.startswith("read.md: ") and line.endswith(wrong) for line in found)


def test_prose_of_the_app_links_to_its_pages(tmp_path):
    (tmp_path / "app/views").mkdir(parents=True)
    (tmp_path / "app/views/tour.py").touch()
    prose = tmp_path / "gpt1viz/text/en/one.md"
    prose.parent.mkdir(parents=True)
    prose.write_text("[a](tour?text=fox) [b](/tour) [c](attention)")
    assert list(links.faults(tmp_path)) == ["gpt1viz/text/en/one.md: attention: no page of the app"]


# the reference


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("pdoc")
    return script("reference")


def test_the_reference_has_every_module(reference):
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources("gpt1viz")}
    names = {name.removesuffix(".__init__") for name in files}
    assert set(reference.modules()) == {name for name in names if "._" not in name}


@pytest.mark.long
def test_the_reference_needs_no_network(reference, tmp_path):
    reference.build(tmp_path)
    pages = {
        path.relative_to(tmp_path).as_posix(): path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")
    }
    assert pages.keys() == {f"{name.replace('.', '/')}.html" for name in reference.modules()} | {"index.html"}
    for name in gpt1viz.__all__:
        assert f'<section id="{name}">' in pages["gpt1viz.html"]
    assert "Scaled dot-product attention" in pages["gpt1viz/model.html"]
    assert 'href="gpt1viz/tokenizer.html"' in pages["gpt1viz.html"]
    assert "integrated_gradients" in (tmp_path / "search.js").read_text(encoding="utf-8")
    asked = re.compile(
        r"""(?:<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=["']?|url\(["']?|@import\s+["'])((?:https?:)?//[^"'\s>)]+)"""
    )
    assert {name: found for name, text in pages.items() if (found := asked.findall(text))} == {}


# commands


def blocks(name: str, kind: str) -> list[str]:
    """The fenced blocks of one kind in a text, continued lines made one."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [text.replace("\\\n", "") for each, text in found if each == kind]


@pytest.mark.parametrize("path", [path for path in links.texts() if path.suffix == ".md"], ids=label)
def test_commands_are_taken(path):
    """`make` knows the targets that a document names, and `gpt1viz` its commands and options."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    group = get_command(cli.build("en"))
    for line in "".join(blocks(path, "")).splitlines():
        words = shlex.split(line, comments=True)
        words = words[words.index("--") + 1 :] if words[:1] == ["torchrun"] else words
        words = list(dropwhile(lambda word: "=" in word, words))
        if words[:1] == ["make"]:
            assert words[1] in targets, line
        if words[:1] == ["gpt1viz"]:
            context = group.make_context("gpt1viz", words[1:])
            name, command, rest = group.resolve_command(context, words[1:])
            assert command.make_context(name, rest, parent=context).params is not None, line


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "docs/scaling.md"])
def test_torchrun_takes_none_of_our_options_for_its_own(name):
    from torch.distributed.run import get_args_parser

    lines = [shlex.split(line, comments=True) for line in "".join(blocks(name, "")).splitlines()]
    commands = [words for words in lines if words[:1] == ["torchrun"]]
    assert commands
    for words in commands:
        taken = get_args_parser().parse_args(words[1:])
        assert (
            taken.no_python and [taken.training_script, *taken.training_script_args] == words[words.index("--") + 1 :]
        )


def test_the_numbers_of_scaling_are_computed():
    (code,) = blocks("docs/scaling.md", "python")
    assert code.count("assert ") >= 15
    exec(compile(code, "docs/scaling.md", "exec"), {})


def test_the_commands_of_scaling_are_taken(monkeypatch, tmp_path):
    """`gpt1viz train` comes to the point where it would begin."""
    from gpt1viz.training.plan import Plan

    plans, resumed = [], []
    begin = lambda plan, path, resume, *rest: (resumed if resume else plans).append(plan)  # noqa: E731
    monkeypatch.setattr(cli_training, "_train", begin)
    monkeypatch.setattr(cli_training, "_dry_run", lambda plan, lang: plans.append(plan))
    monkeypatch.setattr("gpt1viz.training.runs.read_run", lambda path: SimpleNamespace(settings={"kind": "pretrain"}))
    monkeypatch.setattr(Plan, "of_run", lambda path: Plan.read("paper").on(["books"], []).within(tokens=1))
    monkeypatch.chdir(tmp_path)
    for line in "".join(blocks("docs/scaling.md", "")).splitlines():
        words = shlex.split(line)
        if words[0] == "torchrun":
            words = words[words.index("--") + 1 :]
        if words[:2] == ["gpt1viz", "train"]:
            assert cli.main(words[1:]) == 0, line
    assert len(plans) == 4 and len(resumed) == 2
    for plan in plans:
        assert plan.config(40478).n_params == 116_534_784 and plan.settings.tokens == 110_000_000_000
    assert [plan.settings.n_parts(64) for plan in plans] == [64] * 4
    assert plans[-1].settings.batch_size == 4096 and plans[-1].settings.lr == 2e-3


def test_the_memory_that_scaling_names_is_the_app_s():
    said = (ROOT / "docs/scaling.md").read_text(encoding="utf-8").replace("\n", " ")
    assert "models up to 1 GB, explanations of texts up to 0.4 GB, other results up to 0.1 GB" in said
    models, computing = ((ROOT / "app" / name).read_text(encoding="utf-8") for name in ("models.py", "computing.py"))
    assert "MOST_OF_MODELS, MOST_OF_EXPLANATIONS = 1_000_000_000, 400_000_000 " in models
    assert "MOST = 100_000_000 " in computing


# versions, languages, CI


def test_the_change_log_begins_with_this_version():
    versions = re.findall(
        r"^## \[(.+?)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    )
    assert versions[0][0] == gpt1viz.__version__


def test_both_readmes_say_the_same():
    """Chapters, code, paths, settings and the numbers of every table; the pictures of its own language."""
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    for pattern in (r"^#+ ", r"^```", r"^\|", r"`(?:gpt1viz|tests)/[\w./]+`", r"`GPT1VIZ_\w+", r"\]\([^)]+\.md\)"):
        counts = [len(re.findall(pattern, text, re.MULTILINE)) for text in (english, chinese)]
        assert counts[0] == counts[1] > 0, pattern
    rows = [" ".join(re.findall(r"^\|.*", text, re.MULTILINE)) for text in (english, chinese)]
    numbers = [sorted(re.findall(r"\d+(?:[.,]\d+)*", text)) for text in rows]
    assert numbers[0] == numbers[1]
    pictures = [re.findall(r"docs/\w+\.png", text) for text in (english, chinese)]
    assert pictures[0] and [name.replace(".png", "_zh.png") for name in pictures[0]] == pictures[1]


def test_the_workflow_calls_the_targets_of_make():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    assert {"push", "pull_request"} <= workflow[True].keys()  # YAML reads `on` as true
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [line.strip() for step in steps for line in step.get("run", "").splitlines()]
    assert {"make lint", ".ci/run"} <= set(commands)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {word for line in commands for word in re.findall(r"^make ([\w-]+)", line)} <= targets
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
