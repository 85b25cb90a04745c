"""Weights that do not fit, are not numbers, or lie behind a header that lies: a model that works, or a sentence."""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stores
import torch
from cases import times
from damaged import ARRAY, CONFIG, FORMATS, SHAPES, WEIGHTS, met
from safetensors.torch import load_file, save

pytestmark = pytest.mark.area("weights that do not fit")


@pytest.fixture(params=["huggingface", "gpt1viz"])
def twin(request, tmp_path):
    """The same, of the formats with one file of weights, anew for each test."""
    return FORMATS[request.param](tmp_path / "mine")


SWITCHES = [
    {"n_ctx": n, "positions": positions} for n in (10**6, 10**9, 10**15) for positions in ("none", "sinusoidal")
]


def test_a_configuration_that_asks_for_all_memory(case, tmp_path):
    """No tensor says how long the context is where positions are not learned."""
    tensors = {name: tensor for name, tensor in stores.model().state_dict().items() if name != "positions_embed.weight"}
    for number, switches in enumerate(SWITCHES):
        with case(switches):
            folder = stores.ours(tmp_path / f"{number}", **switches)
            (folder / WEIGHTS).write_bytes(save(tensors))
            assert met(folder) == "checkpoint_config"


# ---- tensors

DTYPES = (
    *(
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.uint16,
        torch.uint32,
        torch.uint64,
    ),
    *(
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
    ),
)


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """In memory: the file is going to be written over."""
    return {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}


def stored(folder: Path, tensors: dict) -> str:
    """What comes of these weights."""
    (folder / WEIGHTS).write_bytes(save({name: t.contiguous() for name, t in tensors.items()}))
    return met(folder)


CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor | None]] = {
    "missing": lambda t: None,
    "NaN": lambda t: t * torch.nan,
    "one NaN": lambda t: t.flatten().index_fill(0, torch.tensor(0), torch.nan).view_as(t),
    "infinite": lambda t: t + torch.inf,
    "minus infinity in the end": lambda t: (
        t.flatten().index_fill(0, torch.tensor(t.numel() - 1), -torch.inf).view_as(t)
    ),
    "too large for float32": lambda t: t.double() + 1e300,
    "as large as float32 goes": lambda t: torch.full_like(t, 3.4e38),
    "zeros": torch.zeros_like,
    "one row less": lambda t: t[:-1],
    "one row more": lambda t: torch.cat([t, t[:1]]),
    "empty": lambda t: t[:0],
    "a number": lambda t: t.sum(),
    "an axis more": lambda t: t[None],
    "an axis behind": lambda t: t[..., None],
    "flat": lambda t: t.flatten(),
    "turned": lambda t: t.t() if t.ndim == 2 else t.flip(0)[None],
}
FINE = {"as large as float32 goes", "zeros"}


def test_tensors_changed(twin, case):
    good = tensors_of(twin)
    draws = random.Random(0)
    tried = [(name, change) for name in good for change in CHANGES]
    for name, change in draws.sample(tried, min(len(tried), times(60, 400))):
        square = change == "turned" and good[name].ndim == 2 and good[name].shape[0] == good[name].shape[1]
        same = change == "flat" and good[name].ndim == 1
        with case(f"{name} {change}"):
            new = CHANGES[change](good[name])
            found = stored(twin, {n: t for n, t in (good | {name: new}).items() if t is not None})
            assert (found == "loaded") == (change in FINE or square or same), found
    assert stored(twin, good) == "loaded"


def test_tensors_of_every_dtype(twin, case):
    good, theirs = tensors_of(twin), "model_type" in (twin / CONFIG).read_text()
    for dtype in DTYPES:
        for name in ("tokens_embed.weight", "h.1.mlp.c_fc.bias", "lm_head.weight"):
            with case(f"{name} as {dtype}"):
                new = good.get(name, good["tokens_embed.weight"]).to(dtype, copy=True)
                tied = theirs and dtype in (torch.float32, torch.float64)
                fits = tied if name == "lm_head.weight" else dtype.is_floating_point
                assert (stored(twin, good | {name: new}) == "loaded") == fits
    assert stored(twin, good) == "loaded"


def test_tensors_too_many_and_under_other_names(twin, case):
    good = tensors_of(twin)
    for name in (
        "",
        "h.2.ln_1.weight",
        "h.-1.ln_1.weight",
        "../../x",
        "__metadata__x",
        "a\0b",
        "x" * 5000,
        "task_head.clf.bias",
    ):
        with case(f"surplus {name[:30]!r}"):
            assert stored(twin, good | {name: torch.zeros(24)})
    for name in good:
        with case(f"{name} under another name"):
            others = {n: t for n, t in good.items() if n != name}
            assert stored(twin, others | {f"{name}.old": good[name]}) != "loaded"
    with case("a thousand surplus"):
        assert stored(twin, good | {f"x{n}": torch.zeros(1) for n in range(1000)})
    assert stored(twin, good) == "loaded"


def test_headers_of_safetensors(twin, case):
    whole = (twin / WEIGHTS).read_bytes()
    n = struct.unpack("<Q", whole[:8])[0]
    header, data = json.loads(whole[8 : 8 + n]), whole[8 + n :]
    name = next(key for key in header if key != "__metadata__")
    entries = [
        {"dtype": "F4", "shape": [4]},
        {"dtype": "U64"},
        {"dtype": 3},
        {"dtype": "X" * 1000},
        {"shape": [-1]},
        {"shape": [2**62, 2**62]},
        {"shape": [10**30]},
        {"shape": []},
        {"shape": "24"},
        {"shape": [0]},
        {"data_offsets": [0, 2**63]},
        {"data_offsets": [5, 1]},
        {"data_offsets": [-1, 4]},
        {"data_offsets": [0, 0]},
        {"data_offsets": [1]},
        {"data_offsets": None},
    ]
    for change in entries:
        with case(change):
            text = json.dumps(header | {name: header[name] | change}).encode()
            (twin / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + data)
            assert met(twin) != "loaded"
    for length in (0, 1, n - 1, n + 1, len(whole), 10**8 - 1, 10**8 + 1, 2**31, 2**63, 2**64 - 1):
        with case(f"header of {length} bytes"):
            (twin / WEIGHTS).write_bytes(struct.pack("<Q", length) + whole[8:])
            assert met(twin) != "loaded"
    for text in (
        b"[" * 50_000,
        b"{}",
        b"null",
        b" " * n,
        b"\xff" * n,
        b'{"__metadata__": {"a": 1}}',
        b'{"a": {"b": 1}}',
    ):
        with case(f"header {text[:20]!r}"):
            (twin / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + data)
            assert met(twin) != "loaded"


# ---- the arrays of 2018

HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (SIZE,), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (SIZE, 1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (SIZE,), }",
    "{'descr': '>f4', 'fortran_order': False, 'shape': (SIZE,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (SIZE,), }",
    "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (SIZE,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (10**30,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1" + "0" * 30 + ",), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2.5,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': [SIZE], }",
    "{'descr': 7, 'fortran_order': False, 'shape': (SIZE,), }",
    "{'descr': 'x', 'fortran_order': False, 'shape': (SIZE,), }",
    "{'descr': ('<f4', (10**9,)), 'fortran_order': False, 'shape': (SIZE,), }",
    "{'descr': '<f4', 'fortran_order': 3, 'shape': (SIZE,), }",
    "{'descr': '<f4', 'shape': (SIZE,), }",
    "{1: 2, 'descr': '<f4', 'fortran_order': False, 'shape': (SIZE,), }",
    "__import__('os').system('true')",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (SIZE",
    "(" * 3000,
    "-" * 9000 + "1",
    "{[]: 1}",
    "'''",
    "\\",
    "\t x\n  y",
    "\0",
    "",
    "7" * 6000,
)


def npy(header: str, data: bytes, version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode("latin-1")
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def test_headers_of_arrays(case, tmp_path):
    folder = stores.release(tmp_path / "mine")
    good = np.load(folder / ARRAY)
    for version in ((1, 0), (2, 0), (3, 0), (9, 9)):
        for number, header in enumerate(HEADERS):
            with case(f"header {number} {header[:40]!r}, version {version}"):
                header = header.replace("SIZE", str(good.size))
                (folder / ARRAY).write_bytes(npy(header, good.tobytes(), version))
                assert (met(folder) == "loaded") == (number == 0 and version != (9, 9))


def test_shapes_of_arrays(case, tmp_path):
    folder = stores.release(tmp_path / "mine")
    good = json.loads((folder / SHAPES).read_text())
    for number, shapes in enumerate(
        (
            [],
            good[:-1],
            good[:2],
            [*good, *good[2:]],
            [good[1], good[0], *good[2:]],
            [[10**9, 24], *good[1:]],
            [[-11, 24], *good[1:]],
            [[11, 10**40], *good[1:]],
            ["ab", "cd", *good[2:]],
            [None] * len(good),
            [[[11], 24], *good[1:]],
            [[11, 24, 1], *good[1:]],
            {"0": good},
            good * 1000,
        )
    ):
        with case(f"shapes {number}"):
            (folder / SHAPES).write_text(json.dumps(shapes))
            assert met(folder) != "loaded"
