"""The command line: what it prints, in both languages, and one sentence and exit code 2 for bad input."""

import io
import json
import os
import signal
import subprocess
import sys

import pytest
import stores

from gpt1viz import GPT1, GPT1Config, cli, explain, generate, load, save
from gpt1viz.model import TaskHead

COMMANDS = ("app", "info", "explain", "generate", "download", "export")
STORY = "Once upon a time there was a little"


@pytest.fixture
def run(capsys):
    """Run a command; its exit code, standard output and standard error."""

    def run(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([*map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def start(*arguments, **options) -> subprocess.Popen:
    command = [sys.executable, "-c", "import sys; from gpt1viz.cli import main; sys.exit(main())", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_help_has_every_command_and_examples(lang, run):
    for arguments in ((), ("--help",)):
        code, out, err = run(*arguments, "--lang", lang)
        assert (code, err) == (0, "") and all(f"\n  {command} " in out for command in COMMANDS)
        assert ("摊开" in out) == (lang == "zh")
    for command in COMMANDS:
        code, out, _ = run(command, "--help", f"--lang={lang}")
        assert code == 0 and f"\n    gpt1viz {command}" in out and ("示例" in out) == (lang == "zh")


def test_help_imports_nothing_heavy():
    heavy = "print(*{'torch', 'spacy', 'numpy'} & {*sys.modules})"
    code = f"import sys; from gpt1viz.cli import main; main(['--help']); {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n\n")


def test_info_counts_parameters_by_part(run):
    code, out, _ = run("info")
    rows = {line.rpartition("  ")[0].strip(): line.rpartition("  ")[2].strip() for line in out.splitlines()}
    assert code == 0 and rows["Parameters in all"] == "3,504,768" and rows["Positions"] == f"{256 * 192:,}"
    code, out, _ = run("info", "storybook", "--json")
    found = json.loads(out)
    parts, shape = found["parameters"], found["config"]
    assert parts["attn"] + parts["mlp"] + parts["ln"] == parts["block"]
    total = parts["tokens_embed"] + parts["positions_embed"] + shape["n_layer"] * parts["block"]
    assert total == found["n_params"] == 3_504_768
    assert "随 gpt1viz 自带" in run("info", "--lang", "zh")[1]


def test_the_parts_of_the_117m_model_are_those_of_the_paper():
    parts = cli._parts(GPT1(GPT1Config(n_layer=1)))
    assert (parts["tokens_embed"], parts["positions_embed"], parts["block"]) == (31_087_104, 393_216, 7_087_872)
    assert parts["tokens_embed"] + parts["positions_embed"] + 12 * parts["block"] == 116_534_784


def test_explain_prints_what_explain_computes(run):
    loaded = load("storybook")
    seen = explain(loaded.model, loaded.tokenizer, STORY, record=(), top_k=3)
    code, out, _ = run("explain", STORY, "--top", 3, "--json")
    tokens = json.loads(out)["tokens"]
    assert code == 0 and [token["id"] for token in tokens] == seen.ids.tolist()
    assert tokens[0]["probability"] is None and tokens[0]["rank"] is None
    for at, token in enumerate(tokens[1:], 1):
        assert token["probability"] == pytest.approx(seen.probability[at]) and token["rank"] == seen.rank[at]
        assert token["surprisal"] == pytest.approx(seen.surprisal[at])
    assert [[guess["id"] for guess in token["next"]] for token in tokens] == seen.next_ids.tolist()

    lines = run("explain", STORY, "--top", 3)[1].splitlines()
    assert len(lines) == 1 + len(tokens) and lines[4].split()[:2] == ["3", "time"]
    assert f"{seen.surprisal[3]:.1f}" in lines[4].split() and f"{seen.rank[3]}" in lines[4].split()


def test_explain_says_what_it_cut(run):
    code, out, err = run("explain", "word " * 300, "--top", 1)
    assert code == 0 and len(out.splitlines()) == 1 + 256 and "256" in err and "300" in err


def test_generate_writes_what_generate_writes(run):
    loaded = load("storybook")
    *_, last = generate(
        loaded.model, loaded.tokenizer, STORY, n_tokens=30, temperature=0.7, top_k=50, top_p=0.9, seed=3
    )
    options = ("--tokens", 30, "--temperature", 0.7, "--top-k", 50, "--top-p", 0.9, "--seed", 3)
    code, out, err = run("generate", STORY, *options)
    assert (code, out, err) == (0, last.text + "\n", "")
    assert run("generate", STORY, "-n", 9, "--greedy")[1] == run("generate", STORY, "-n", 9, "--greedy", "--seed", 5)[1]


def test_generate_stops_at_a_newline(run):
    options = ("Once upon a time", "-n", 40, "--temperature", 0.8, "--seed", 1)
    whole, line = (run("generate", *options, *stop)[1] for stop in ((), ("--stop-at-newline",)))
    first = whole.partition("\n")[0]
    assert len(whole.splitlines()) > 1 and line.rstrip("\n") == first


def test_generate_says_when_the_window_slid(run, tmp_path):
    save(stores.model(), tmp_path / "tiny", stores.tokenizer())
    code, out, err = run("generate", "the cat", "-n", 12, "--greedy", "--model", tmp_path / "tiny")
    assert code == 0 and out.startswith("the") and len(err.splitlines()) == 1 and " 11 " in err


def test_text_comes_from_standard_input(run, monkeypatch):
    def stdin(data: bytes):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    stdin(f"{STORY}\n".encode())
    assert run("explain", "-")[1] == run("explain", STORY)[1]
    stdin("naïve".encode("latin-1"))
    code, out, err = run("explain", "-")
    assert (code, out) == (2, "") and "UTF-8" in err
    code, _, err = run("explain", "na\udcefve")  # how Python hands on an argument that is not UTF-8
    assert code == 2 and "UTF-8" in err


BAD = {
    "no such command": ("writ",),
    "no such option": ("info", "--shape"),
    "no text": ("explain",),
    "empty text": ("explain", " "),
    "nothing to go on from": ("generate", ""),
    "no number": ("generate", "a", "--tokens", "many"),
    "too small a number": ("explain", "a", "--top", "0"),
    "temperature": ("generate", "a", "--temperature", "0"),
    "top-p": ("generate", "a", "--top-p", "2"),
    "no such model": ("info", "no-such-model"),
    "a text for a model": ("info", "once upon a time " * 300),
    "a model to download": ("download", "gpt2"),
    "language": ("info", "--lang", "fr"),
    "no language": ("info", "--lang"),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_and_code_2(case, lang, run):
    code, out, err = run("--lang", lang, *BAD[case]) if "--lang" not in BAD[case] else run(*BAD[case])
    assert (code, out) == (2, "") and len(err.splitlines()) == 1 and "Traceback" not in err


def test_export_writes_a_folder_and_says_what_it_left_out(run, tmp_path):
    code, out, err = run("export", "storybook", tmp_path / "theirs")
    assert (code, out.strip(), err) == (0, str(tmp_path / "theirs"), "")
    assert load(tmp_path / "theirs").info.n_params == 3_504_768
    save(stores.model(), tmp_path / "tuned", stores.tokenizer(), TaskHead("choice", 24))
    code, _, err = run("export", tmp_path / "tuned", tmp_path / "plain")
    assert code == 0 and "task head" in err
    (tmp_path / "theirs" / "mine.txt").write_text("x")
    code, _, err = run("export", "storybook", tmp_path / "theirs")
    assert code == 2 and str(tmp_path / "theirs") in err


def test_app_runs_streamlit_on_this_machine_only(run, monkeypatch):
    from streamlit.web import cli as streamlit

    calls = []
    monkeypatch.setattr(streamlit, "main", lambda arguments, **_: calls.append(arguments))
    assert run("app", "--port", 8599)[0] == 0
    ((command, page, *settings),) = calls
    assert command == "run" and page.endswith(os.path.join("app", "main.py")) and os.path.exists(page)
    assert {"--server.address=localhost", "--server.port=8599", "--browser.gatherUsageStats=false"} <= set(settings)
    monkeypatch.setattr(cli, "APPS", ())
    assert run("app")[0] == 2


def test_a_closed_pipe_is_quiet():
    with start("generate", STORY, "--tokens", "400", "--seed", "1") as process:
        assert process.stdout.read(4) == b"once"
        process.stdout.close()
        assert process.wait(60) == 1 and process.stderr.read() == b""


def test_ctrl_c_is_quiet():
    with start("generate", STORY, "--tokens", "100000", "--seed", "1") as process:
        assert process.stdout.read(4) == b"once"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130 and process.stderr.read() == b""
