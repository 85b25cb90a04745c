"""Text in: files, folders and data sets of the hub, encoded into one mapped file, by one process or several."""

import gzip
import json
import os
import subprocess
import sys
import time
from itertools import chain
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
from stores import tokenizer

from gpt1viz import cli
from gpt1viz.data import corpus, hub_text, sources
from gpt1viz.data.corpus import Corpus, build
from gpt1viz.data.sources import find_files, read_documents
from gpt1viz.errors import GPT1VizError
from gpt1viz.tokenizer import NEWLINE_ENTRY
from gpt1viz.training.runs import read_run

LINE = "the fox and the hen ran to the den ."


def write(path, text: str | bytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def parquet(path, rows_a_group: int = 1000, **columns):
    arrow, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write_table(arrow.table(columns), path, row_group_size=rows_a_group)
    return path


def documents(path) -> list[list[str]]:
    return [list(lines) for lines in read_documents(path)]


def by_hand(*texts: str) -> list[int]:
    """Each line's ids, then a newline token; empty lines count for nothing."""
    ids = []
    for line in "\n".join(texts).split("\n"):
        if line.strip():
            ids += [*tokenizer().encode(line), tokenizer().row(NEWLINE_ENTRY)]
    return ids


# ---- files


def test_folders_and_kinds(tmp_path):
    text = "One.\r\n\r\nTwo.\n"
    write(tmp_path / "b" / "a.md", text)
    write(tmp_path / "B.TXT", b"\xef\xbb\xbf" + text.encode())
    write(tmp_path / "c.jsonl.gz", gzip.compress(b'{"text": "One.\\nTwo."}\n\n{"text": "Three."}\n'))
    write(tmp_path / "d.png", b"\0")
    assert [path.name for path in find_files([tmp_path])] == ["B.TXT", "a.md", "c.jsonl.gz"]
    assert documents(tmp_path / "B.TXT") == documents(tmp_path / "b" / "a.md") == [["One.", "", "Two."]]
    assert documents(tmp_path / "c.jsonl.gz") == [["One.", "Two."], ["Three."]]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"one\ntw\0o\n", "a.txt, line 2: binary data"),
        ("a.txt", "one\ncafé\n".encode("latin-1"), "a.txt, line 2: not UTF-8"),
        ("a.txt", "one\n".encode("utf-16"), "a.txt, line 1: not UTF-8; save the file as UTF-8"),
        ("a.jsonl", b'{"text": "a"}\nno\n', "a.jsonl, line 2: not a JSON object"),
        ("a.jsonl", b'{"words": "a"}\n', 'a.jsonl, line 1: no "text"'),
        ("a.txt.gz", gzip.compress(b"one two" * 1000)[:-20], "a.txt.gz cannot be read"),
        ("a.txt.gz", b"one", "a.txt.gz cannot be read"),
        ("a.parquet", b"one", "a.parquet cannot be read"),
        ("a.txt", b" \n", "Found no text in"),
        ("a.doc", b"one", "must end in one of .txt, .md, .jsonl, .parquet"),
    ],
)
def test_bad_text_is_named_with_file_and_line(tmp_path, name, data, said):
    with pytest.raises(GPT1VizError) as fault:
        build([write(tmp_path / name, data)], tokenizer(), tmp_path / "cache")
    assert said in str(fault.value) and "\n" not in str(fault.value) and fault.value.message("zh")
    assert not list((tmp_path / "cache").glob("*"))  # nothing half-written stays


@pytest.mark.parametrize("text", ["ab cd ef gh ij\nkl", "abcdefghijklmnop\n", "áéíóúáéíóú aé\n", "a" * 30 + "é ü" * 7])
@pytest.mark.parametrize("longest", [7, 8, 9])
def test_endless_lines_come_in_pieces(tmp_path, monkeypatch, text, longest):
    monkeypatch.setattr(sources, "LONGEST_LINE", longest)
    [lines] = documents(write(tmp_path / "a.txt", text))
    assert "".join(lines) == text.replace("\n", "") and max(len(line.encode()) for line in lines) <= longest
    if " " in text[:7]:
        assert all(line.endswith(" ") for line in lines[: 14 // longest])  # cut at a blank where there is one


# ---- the corpus


def test_ids_boundaries_and_characters(tmp_path):
    write(tmp_path / "a.txt", f"{LINE}\n\nThe cat,  the hat.\n")
    write(tmp_path / "b.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in ("the rat\nran", " ", "the mat")))
    found = build([tmp_path], tokenizer(), tmp_path / "cache")
    wanted = [by_hand(LINE, "The cat,  the hat."), by_hand("the rat", "ran"), by_hand("the mat")]
    assert found.ids.dtype == np.uint16 and found.ids.tolist() == [*chain(*wanted)]
    assert found.starts.tolist() == [0, *np.cumsum([len(ids) for ids in wanted])]  # an empty document has no place
    cleaned = [LINE, "The cat , the hat .", "the rat", "ran", "the mat"]
    assert found.n_characters == sum(len(line) + 1 for line in cleaned)
    assert isinstance(found.ids, np.memmap) and not found.ids.flags.writeable


def test_chunks_and_processes_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "_CHUNK", 100)
    write(tmp_path / "a.txt", f"{LINE}\n" * 30)
    write(tmp_path / "b.jsonl", "".join(json.dumps({"text": f"the cat {'ran ' * k}"}) + "\n" for k in range(40)))
    alone = build([tmp_path], tokenizer(), tmp_path / "alone")
    shared = build([tmp_path], tokenizer(), tmp_path / "shared", workers=2)
    assert (
        alone.ids.tolist()
        == shared.ids.tolist()
        == by_hand(*[LINE] * 30, *["the cat " + "ran " * k for k in range(40)])
    )
    assert alone.starts.tolist() == shared.starts.tolist() and len(alone.starts) == 42
    assert (alone.digest, alone.n_characters) == (shared.digest, shared.n_characters)
    sizes = [sum(len(line) for lines, _ in chunk for line in lines) for chunk in corpus._chunks(find_files([tmp_path]))]
    assert max(sizes) < 300 and len(sizes) < 40  # short documents share a chunk, a long one has several


def test_kept_by_content(tmp_path, monkeypatch):
    path, cache = write(tmp_path / "a.txt", LINE), tmp_path / "cache"
    first = build([path], tokenizer(), cache)
    with monkeypatch.context() as patch:
        patch.delattr(corpus, "_write")
        assert build([write(tmp_path / "b.md", LINE)], tokenizer(), cache).digest == first.digest
    row = json.dumps({"text": "the hen"})
    texts = [write(tmp_path / name, row) for name in ("c.txt", "c.jsonl")]
    one, other = (build([path], tokenizer(), cache) for path in texts)
    assert one.digest != other.digest and other.ids.tolist() == by_hand("the hen")


def test_what_was_left_half_written_goes(tmp_path):
    cache = tmp_path / "cache"
    old, new = (write(cache / f"{name}.new" / "ids.bin", b"") for name in ("old", "new"))
    os.utime(old, (time.time() - 1e6,) * 2)
    build([write(tmp_path / "a.txt", LINE)], tokenizer(), cache)
    assert new.exists() and not old.parent.exists()


def test_damage_is_noticed(tmp_path):
    path = write(tmp_path / "a.txt", LINE)
    folder = tmp_path / "cache" / build([path], tokenizer(), tmp_path / "cache").digest
    whole = (folder / "ids.bin").read_bytes()
    for data in (whole[:-2], whole[:-1], b""):
        (folder / "ids.bin").write_bytes(data)
        with pytest.raises(GPT1VizError, match="delete that folder"):
            build([path], tokenizer(), tmp_path / "cache")
    with pytest.raises(GPT1VizError, match="incomplete"):
        Corpus.open(tmp_path / "nowhere")


def test_a_disk_that_refuses(tmp_path):
    write(tmp_path / "cache", "a file where the cache should be")
    with pytest.raises(GPT1VizError) as fault:
        build([write(tmp_path / "a.txt", LINE)], tokenizer(), tmp_path / "cache")
    assert fault.value.code == "download_unwritable"


def test_processes_that_die(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "_work", die)
    with pytest.raises(GPT1VizError) as fault:
        build([write(tmp_path / "a.txt", LINE)], tokenizer(), tmp_path / "cache", workers=2)
    assert fault.value.code == "corpus_workers" and list((tmp_path / "cache").iterdir()) == []


def die(*_):
    os._exit(1)


def test_workers_end_with_their_parent():
    """They hold the other ends of its pipes: these read as ended only when they have ended too."""
    code = """
import os
from gpt1viz.data.corpus import _encode_all
from gpt1viz.tokenizer import Tokenizer
def chunks():
    yield [(["a cat"], True)]
    print("begun", flush=True)
    while True:
        yield [(["a cat"], True)]
found = _encode_all(chunks(), Tokenizer.train(["a cat"] * 3, 16), 2)
next(found), next(found)
os._exit(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (3, ["begun"])


# ---- the hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A stand-in for the hub: a folder with its parquet copies; counts how often it is asked."""
    monkeypatch.setenv("GPT1VIZ_CACHE", str(tmp_path / "cache"))
    folder, asked = tmp_path / "hub", []

    def dataset_info(self, repo, revision):
        asked.append((repo, revision))
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")]
        return SimpleNamespace(sha="0123", siblings=[SimpleNamespace(rfilename=name) for name in names])

    def snapshot_download(repo, *, repo_type, revision, allow_patterns):
        asked.append((repo, repo_type, revision, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return SimpleNamespace(folder=folder, asked=asked)


def test_a_data_set_of_the_hub(hub, tmp_path):
    texts = [LINE, "the cat\nsat", "", None, "the rat"]
    parquet(hub.folder / "default/train/0000.parquet", text=texts, title=["a"] * 5, rows_a_group=2)
    parquet(hub.folder / "default/train/0001.parquet", text=["the hat"], title=["b"])
    parquet(hub.folder / "default/test/0000.parquet", text=["the den"], title=["b"])
    write(hub.folder / "README.md", "about")
    wanted = [by_hand(LINE), by_hand("the cat", "sat"), by_hand("the rat"), by_hand("the hat")]
    found = build(["hf:some/tales"], tokenizer(), tmp_path / "cache" / "corpora")
    assert found.ids.tolist() == [*chain(*wanted)]
    assert found.starts.tolist() == [0, *np.cumsum([len(ids) for ids in wanted])]
    files = ["default/train/0000.parquet", "default/train/0001.parquet"]
    assert hub.asked == [("some/tales", hub_text.REVISION), ("some/tales", "dataset", "0123", files)]
    hub.asked.clear()
    assert build(["hf:some/tales"], tokenizer(), tmp_path / "cache" / "corpora").digest == found.digest
    assert hub.asked == []  # what has been downloaded is used without asking
    assert build(["hf:some/tales/default:test"], tokenizer(), tmp_path / "c").ids.tolist() == by_hand("the den")
    (hub.folder / files[1]).unlink()
    assert [path.name for path in find_files(["hf:some/tales"])] == ["0000.parquet"] and len(hub.asked) == 4


def test_the_only_column_and_the_only_config(hub):
    parquet(hub.folder / "plain/partial-train/0000.parquet", story=["one", "two"], number=[1, 2])
    [path] = find_files(["hf:some/tales"], "zh")
    assert documents(path) == [["one"], ["two"]]


def test_a_first_part_only_is_said_once(hub, capsys):
    parquet(hub.folder / "plain/partial-train/0000.parquet", story=["one"])
    for _ in range(2):
        find_files(["hf:some/tales"], "zh")
    assert capsys.readouterr().err.count("hf:some/tales 很大") == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf:tales", "write hf:OWNER/NAME"),
        ("hf:some/tales", "one of en, fr"),
        ("hf:some/tales/de", "one of en, fr"),
        ("hf:some/tales/en:dev", "no split 'dev'; write one of test, train"),
        ("hf:some/tales/fr", r'0.parquet has neither a column "text" nor just one .* but author, body, n; rename'),
    ],
)
def test_what_the_hub_does_not_have(hub, name, said):
    parquet(hub.folder / "en/partial-train/0.parquet", text=["a"])
    parquet(hub.folder / "en/test/0.parquet", text=["a"])
    parquet(hub.folder / "fr/train/0.parquet", author=["a"], body=["a"], n=[1])
    with pytest.raises(GPT1VizError, match=said) as fault:
        documents(find_files([name])[0])
    assert "\n" not in str(fault.value) and fault.value.message("zh")


def test_without_network_or_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_CACHE", str(tmp_path))
    with pytest.raises(GPT1VizError) as fault:
        find_files(["hf:some/tales"])
    assert fault.value.code == "hub_offline"
    path = parquet(tmp_path / "a.parquet", text=["a"])
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(GPT1VizError, match="pip install pyarrow"):
        documents(path)


def test_training_on_a_data_set_of_the_hub(hub, tmp_path, capsys):
    for split in ("train", "validation"):
        parquet(hub.folder / f"default/{split}/0.parquet", text=["the fox ran to the den .", "the cat sat ."] * 20)
    small = [f"--set={c}" for c in ("n_layer=1", "n_embd=12", "n_head=3", "n_ctx=11", "vocabulary=29", "batch_size=4")]
    quiet = ["--set=sample_every=0", "--set=eval_every=1", "--validation", "hf:some/tales:validation"]
    assert cli.main(["train", "hf:some/tales", "--run", str(tmp_path / "run"), "--steps", "1", *small, *quiet]) == 0
    assert len(hub.asked) == 4 and capsys.readouterr().err == ""
    assert cli.main(["train", "--resume", str(tmp_path / "run"), "--steps", "2"]) == 0
    run = read_run(tmp_path / "run")
    assert len(hub.asked) == 4 and run.settings["source"]["text"] == ["hf:some/tales"]
    assert [row["step"] for row in run.metrics("eval") if "bits_per_character" in row] == [0, 1, 2]
