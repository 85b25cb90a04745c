"""Checkpoints that are damaged or foreign: each loads to a model that works, or is refused in a sentence."""

import io
import json
import os
import pickle
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import times
from damaged import ABSURD, CONFIG, FORMATS, TASK, changed, met, places, with_value, without

pytestmark = pytest.mark.area("damaged checkpoints")


@pytest.fixture(scope="module", params=FORMATS)
def store(request, tmp_path_factory):
    """A good checkpoint: its folder, and the bytes of its files by name."""
    folder = FORMATS[request.param](tmp_path_factory.mktemp("good") / "mine")
    return folder, {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# ---- bytes


def test_bytes_changed_anywhere(store, case):
    folder, files = store
    for seed in range(times(60, 600)):
        draws = random.Random(seed)
        name = draws.choice([*files])
        with case(f"{name}, seed {seed}"):
            (folder / name).write_bytes(changed(files[name], draws))
            assert met(folder)
        (folder / name).write_bytes(files[name])
    assert met(folder) == "loaded"


def test_cut_anywhere(store, case):
    folder, files = store
    for name, good in files.items():
        for keep in sorted({0, 1, 7, 8, 9, *range(0, len(good), max(1, len(good) // times(8, 60)))}):
            with case(f"{name} cut to {keep} of {len(good)} bytes"):
                (folder / name).write_bytes(good[:keep])
                assert (met(folder) == "loaded") == (good[:keep].split() == good.split())  # but for the last newline
        (folder / name).write_bytes(good)
    assert met(folder) == "loaded"


# ---- values of JSON files


def test_absurd_values_in_json(store, case):
    folder, files = store
    draws, tried = random.Random(0), []
    for name in (name for name in files if name.endswith(".json")):
        values = json.loads(files[name])
        there = list(dict.fromkeys(places(values)))
        tried += [(name, values, at, [new]) for at in there for new in ABSURD]
        tried += [(name, values, at, []) for at in there if at]
    for name, values, at, new in draws.sample(tried, min(len(tried), times(80, 400))):
        with case(f"{name}: {'.'.join(map(str, at))} {repr(new)[:40] if new else 'left out'}"):
            (folder / name).write_text(json.dumps(with_value(values, at, new[0]) if new else without(values, at)))
            assert met(folder)
        (folder / name).write_bytes(files[name])
    assert met(folder) == "loaded"


def test_json_that_is_none(store, case):
    folder, files = store
    deep = 200_000
    for name in (name for name in files if name.endswith(".json")):
        for number, new in enumerate(
            (
                b"[" * deep,
                b'{"a":' * deep + b"1" + b"}" * deep,
                b"9" * 10_000,
                b'{"n_embd": ' + b"9" * 5000 + b"}",
                b"\xef\xbb\xbf" + files[name],
                files[name].decode().encode("utf-16"),
                b"{}",
                b"null",
                b'""',
                b"\x80\x04K\x01.",
                files[name] + files[name],
            )
        ):
            with case(f"{name}, kind {number}"):
                (folder / name).write_bytes(new)
                assert met(folder)
            (folder / name).write_bytes(files[name])
    assert met(folder) == "loaded"


# ---- what is no checkpoint


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def traps(sprung: Path) -> Iterator[bytes]:
    """The trap as pickles of every protocol, as PyTorch stores it, old and new, and as numpy does."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield pickle.dumps({"tokens_embed.weight": Trap(sprung)}, protocol)
    for zipped in (True, False):
        file = io.BytesIO()
        torch.save({"tokens_embed.weight": Trap(sprung)}, file, _use_new_zipfile_serialization=zipped)
        yield file.getvalue()
    file = io.BytesIO()
    np.save(file, np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    yield file.getvalue()
    file = io.BytesIO()
    np.savez(file, np.array([Trap(sprung)], dtype=object))
    yield file.getvalue()


def test_nothing_is_unpickled_wherever_it_lies(store, case, tmp_path):
    folder, files = store
    sprung = tmp_path / "sprung"
    pickle.loads(next(traps(sprung)))
    assert sprung.exists()  # the trap works
    sprung.unlink()
    for number, trap in enumerate(traps(sprung)):
        for name in files:
            with case(f"trap {number} as {name}"):
                (folder / name).write_bytes(trap)
                assert met(folder) != "loaded" and not sprung.exists()
            (folder / name).write_bytes(files[name])
        for name in ("pytorch_model.bin", "model.pt", "model.pkl", "params_10.npy", "optimizer.pt", "README.md"):
            with case(f"trap {number} beside the weights as {name}"):
                (folder / name).write_bytes(trap)
                assert met(folder) and not sprung.exists()
            (folder / name).unlink()
    assert met(folder) == "loaded"


FOREIGN = {
    "gpt2": {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 24, "n_layer": 2, "n_head": 12},
    "llama": {"model_type": "llama", "hidden_size": 24, "num_hidden_layers": 2},
    "bert": {"architectures": ["BertModel"]},
    "no type": {"n_embd": 24},
    "a list for a type": {"model_type": ["openai-gpt"]},
    "a newer format": {"format": "gpt1viz-2"},
    "ours and theirs": {"format": "gpt1viz", "model_type": "openai-gpt"},
    "theirs by ours": {"format": "openai-gpt"},
}


@pytest.mark.parametrize("what", FOREIGN)
def test_foreign_models(what, case, tmp_path):
    for name, make in FORMATS.items():
        with case(f"{what} with the files of {name}"):
            folder = make(tmp_path / name)
            (folder / CONFIG).write_text(json.dumps(FOREIGN[what]))
            assert met(folder) != "loaded"


def test_things_that_are_no_files(store, case, tmp_path):
    """Folders, links that lead nowhere or in a circle, pipes that nobody writes to, devices that never end."""
    folder, files = store
    makers = {
        "a folder": Path.mkdir,
        "a link to nothing": lambda path: path.symlink_to(tmp_path / "nothing"),
        "a link to itself": lambda path: path.symlink_to(path),
        "a pipe": os.mkfifo,
        "an endless device": lambda path: path.symlink_to("/dev/zero"),
        "an empty device": lambda path: path.symlink_to("/dev/null"),
    }
    for name in files:
        for kind, make in makers.items():
            with case(f"{name} {kind}"):
                (folder / name).unlink()
                make(folder / name)
                assert met(folder) or name == TASK
            (folder / name).rmdir() if kind == "a folder" else (folder / name).unlink()
            (folder / name).write_bytes(files[name])
    assert met(folder) == "loaded"
