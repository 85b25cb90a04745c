"""Hostile texts through every command that reads text, through the widgets, the figures and the Python functions."""

import io
import json
import sys

import numpy as np
import pytest
import stores
import tiny
from cases import LONG, helpful
from hostile import EMPTY, HALVES, TEXTS, elements, strings_in
from view_data import unpack

from gpt1viz import explain, figures, generate, load, save
from gpt1viz.errors import GPT1VizError
from gpt1viz.model import TaskHead
from gpt1viz.text import LANGUAGES
from gpt1viz.text.tokens import label
from gpt1viz.tokenizer import Tokenizer
from gpt1viz.words import UNKNOWN

pytestmark = pytest.mark.area("hostile text in commands")
OBEYED = {*"\x00\x07\x08\r\x1b\x7f\x85\x9b\u202e\u2066\ud800"}
GIANT = ("one long line", "one long word", "blank lines only", "blank lines")
SMALL = ["--set=n_layer=1", "--set=n_embd=12", "--set=n_head=3", "--set=n_ctx=8", "--set=vocabulary=64"]
SMALL += ["--set=batch_size=2", "--set=device=cpu", "--set=sample_tokens=2", "--steps=1"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny model whose vocabulary, as anybody's may, holds what a terminal obeys."""
    entries = [UNKNOWN, "\n</w>", "\x1b[31m</w>", "\u202e</w>", "\x07</w>", "<script>evil</script></w>", "$x$</w>"]
    letters = [f"{letter}{end}" for letter in "abcdefghijklmnopqrstuvwxyz" for end in ("", "</w>")]
    vocab = {entry: row for row, entry in enumerate([*entries, *letters])}
    gpt1 = tiny.tiny_model(n_vocab=len(vocab), n_special=0, n_layer=1)
    return save(gpt1, tmp_path_factory.mktemp("models") / "tiny", Tokenizer(vocab, []))


def refused(found: tuple[int, str, str]) -> bool:
    """Code 2 and one sentence."""
    code, _, err = found
    return code == 2 and len(err.strip().splitlines()) == 1 and "Traceback" not in err and not OBEYED & {*err}


COMMANDS = (("explain", "--top", 2), ("explain", "--json", "--top", 1), ("generate", "-n", 2, "--seed", 1))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(map(str, command[:2])))
def test_a_text_is_answered_or_refused(case, command, model, run, monkeypatch):
    for name, text in TEXTS.items():
        if name in GIANT and not LONG:
            continue
        with case(name):
            data = text.encode()
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
            found = run(*command, "--model", model, "-")
            code, out, err = found
            if name in EMPTY:
                assert refused(found)
                continue
            assert code == 0 and len(err.splitlines()) <= 1
            assert "--json" in command or not OBEYED & {*out}
            if "--json" in command:
                assert json.loads(out)["text"] == text.removesuffix("\n")
            if "\0" not in text and len(text) < 100_000 and not text.endswith("\n"):
                assert run(*command, "--model", model, "--", text)[:2] == (0, out)  # as an argument


def test_what_is_no_utf_8_is_refused(case, run, monkeypatch):
    for name, data in {"latin-1": b"caf\xe9", "utf-16": "the fox".encode("utf-16"), "cut": "狐".encode()[:2]}.items():
        with case(name):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
            found = run("explain", "-")
            assert refused(found) and "UTF-8" in found[2]
    for lang in LANGUAGES:
        with case(f"halves {lang}"):
            assert refused(run("--lang", lang, "explain", HALVES)) and refused(run("--lang", lang, "generate", HALVES))


ARGUMENTS = ["", "\x1b[31m", "\u202ex", ".", "a\nb", "<script>", "{name}", "\udcff", "@", "/dev/null", "x" * 100_000]


def test_arguments_that_are_no_text_are_refused(case, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in ARGUMENTS if LONG else ARGUMENTS[::6]:
        for words in (
            ("info", value),
            ("export", value, "out"),
            ("export", "storybook/" + value, "out"),
            ("evaluate", "storybook", value),
            ("evaluate", value),
            ("finetune", "storybook", value, "--run", "r"),
            ("finetune", value, "toy/mood", "--run", "r"),
            ("train", value, "--run", "r"),
            ("train", "--recipe", value),
            ("train", "--set", value),
            ("train", "--resume", value),
            ("download", value),
            ("runs", "compare", value),
            ("explain", "a", "--model", value),
            (f"--{value}", "info"),
            ("info", f"--{value}x"),
        ):
            if words in (("info", ""), ("--", "info"), ("--set", "")) or words[-1] == "--x":
                continue
            with case((words[:2], value[:20])):
                found = run(*words)
                assert refused(found), found
    assert [path.name for path in tmp_path.iterdir()] == []


def test_files_of_text_are_learned_from_or_refused(case, run, tmp_path):
    for name, text in TEXTS.items():
        if name in GIANT and not LONG:
            continue
        for kind in ("txt", "jsonl") if LONG else ("jsonl",):
            with case(f"{name}.{kind}"):
                path = tmp_path / f"{name}.{kind}"
                path.write_bytes(text.encode() if kind == "txt" else (json.dumps({"text": text}) + "\n").encode())
                found = run("train", path, "--run", tmp_path / f"{name}-{kind}", *SMALL)
                assert found[0] == 0 or refused(found), found
                if found[0] == 0:
                    assert load(tmp_path / f"{name}-{kind}").info.n_params > 0
    with case("halves.jsonl"):
        path = tmp_path / "halves.jsonl"
        path.write_text("".join(json.dumps({"text": HALVES}) + "\n" for _ in range(20)))
        code, _, err = run("train", path, "--run", tmp_path / "halves", *SMALL)
        assert (code, err) == (0, "")


def test_text_is_evaluated_or_refused(case, model, run, tmp_path):
    for name, text in TEXTS.items():
        with case(name):
            path = tmp_path / f"{name}.txt"
            path.write_bytes(text[:50_000].encode())
            found = run("evaluate", model, path)
            assert (found[0] == 0 and found[1].startswith("loss ")) or refused(found), found


def test_what_a_strange_vocabulary_writes_moves_no_cursor(model, run):
    code, out, _ = run("generate", "abc", "--model", model, "-n", 200, "--seed", 3, "--temperature", 5)
    assert code == 0 and not OBEYED & {*out} and "U+001B" in out and "U+202E" in out


def test_classes_of_a_strange_head_are_shown(run, tmp_path):
    labels = ("\x1b[31mred", "\u202eturned", "two\nlines")
    save(stores.model(), tmp_path / "tuned", stores.tokenizer(), TaskHead("classification", 24, labels))
    code, out, err = run("info", tmp_path / "tuned")
    assert (code, err) == (0, "") and not OBEYED & {*out} and "two lines" in out
    assert json.loads(run("info", tmp_path / "tuned", "--json")[1])["task"]["labels"] == list(labels)
    code, out, _ = run("export", tmp_path / "tuned", tmp_path / "out")
    assert code == 0 and load(tmp_path / "out").info.n_params == load(tmp_path / "tuned").info.n_params


def test_functions_widgets_and_figures_take_any_text(case, model):
    widgets = pytest.importorskip("gpt1viz.widgets")
    loaded = load(model)
    for name, text in (TEXTS | {"halves": HALVES}).items():
        text = text if LONG else text[:5_000]
        with case(name):
            if name in EMPTY:
                with pytest.raises(GPT1VizError) as fault:
                    explain(loaded.model, loaded.tokenizer, text)
                assert helpful(fault.value) == "no_tokens"
                continue
            seen = explain(loaded.model, loaded.tokenizer, text)
            strip, grid = widgets.token_strip(seen), widgets.attention_grid(seen)
            for payload in (strip.payload, grid.payload):
                header, _ = unpack(payload)
                words = header["labels"] if "labels" in header else [chip["label"] for chip in header["tokens"]]
                assert words == [label(piece) for piece in seen.tokens]
                assert not (OBEYED | {*"\n\u200b\u200d\ufeff\ue000"}) & {*"".join(words)}
            drawn = figures.next_tokens(seen.tokens[-10:], np.full(len(seen.tokens[-10:]), 0.1))
            assert not [text for text in strings_in(json.loads(drawn.to_json())) if elements(text)]
            *_, last = generate(loaded.model, loaded.tokenizer, text[:300], 2, seed=0)
            assert isinstance(last.text, str)
