"""Folders that are damaged, foreign, pickled or do not fit: refused by file and fault, in both languages."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import stores
import torch
from safetensors.torch import load_file, save_file
from stores import refusal

from gpt1viz import load

WEIGHTS, CONFIG, TOKENIZER, ARRAY, SHAPES = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "params_7.npy",
    "params_shapes.json",
)
HF, OURS, OLD = stores.FORMATS
GAIN = "h.1.ln_2.weight"
POINTER = b"version https://git-lfs.github.com/spec/v1\n"


# Each of these is a kind of damage: a function of the checkpoint's folder.


def gone(name: str):
    return lambda folder: (folder / name).unlink()


def cut(name: str, keep: int):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:keep])


def content(name: str, content: bytes):
    return lambda folder: (folder / name).write_bytes(content)


def config(**changes):
    def change(folder):
        values = json.loads((folder / CONFIG).read_text()) | changes
        (folder / CONFIG).write_text(json.dumps(values))

    return change


def tensor(name: str, change):
    """`change` makes the new tensor of the old one; None leaves it out."""

    def apply(folder):
        tensors = load_file(folder / WEIGHTS)
        tensors[name] = change(tensors.get(name))
        save_file({n: t.contiguous() for n, t in tensors.items() if t is not None}, folder / WEIGHTS)

    return apply


def array(change):
    return lambda folder: np.save(folder / ARRAY, change(np.load(folder / ARRAY)))


def a_folder(name: str):
    return lambda folder: ((folder / name).unlink(), (folder / name).mkdir())


FAULTS = {  # format, damage, the code of the refusal, what its sentence names
    "cut in the weights": (HF, cut(WEIGHTS, 9000), "checkpoint_damaged", WEIGHTS),
    "cut in the header": (OURS, cut(WEIGHTS, 100), "checkpoint_damaged", WEIGHTS),
    "empty weights": (OURS, cut(WEIGHTS, 0), "checkpoint_damaged", WEIGHTS),
    "weights missing": (HF, gone(WEIGHTS), "checkpoint_file_missing", WEIGHTS),
    "weights a folder": (OURS, a_folder(WEIGHTS), "checkpoint_unreadable", WEIGHTS),
    "a pointer": (HF, content(WEIGHTS, POINTER), "checkpoint_pointer", WEIGHTS),
    "another model": (HF, config(model_type="gpt2"), "checkpoint_foreign", "gpt2"),
    "no model type": (HF, content(CONFIG, b"{}"), "checkpoint_foreign", CONFIG),
    "no JSON": (HF, cut(CONFIG, 20), "checkpoint_json", CONFIG),
    "JSON in no known letters": (OURS, content(CONFIG, b"\xff\xfe{"), "checkpoint_json", CONFIG),
    "no JSON object": (OURS, content(CONFIG, b"[1]"), "checkpoint_json", CONFIG),
    "absurd depth": (OURS, config(n_layer=10**9), "checkpoint_tensor_missing", "h.2."),
    "absurd width": (OURS, config(n_embd=12 * 10**9), "checkpoint_tensor_shape", WEIGHTS),
    "text for a number": (HF, config(vocab_size="many"), "checkpoint_config", "n_vocab"),
    "a list for a name": (HF, config(afn=["gelu"]), "checkpoint_config", "afn"),
    "unknown activation": (HF, config(afn="mish"), "checkpoint_config", "mish"),
    "another epsilon": (HF, config(layer_norm_epsilon=1e-6), "checkpoint_config", "1e-06"),
    "tensor missing": (HF, tensor(GAIN, lambda t: None), "checkpoint_tensor_missing", GAIN),
    "tensor too many": (HF, config(n_layer=1), "checkpoint_tensor_surplus", "h.1."),
    "wrong shape": (OURS, tensor(GAIN, lambda t: t[:7]), "checkpoint_tensor_shape", GAIN),
    "not transposed": (HF, tensor("h.0.mlp.c_fc.weight", torch.t), "checkpoint_tensor_shape", "c_fc"),
    "quantised": (OURS, tensor(GAIN, torch.Tensor.char), "checkpoint_tensor_type", GAIN),
    "infinite": (OURS, tensor(GAIN, lambda t: t / 0), "checkpoint_not_finite", GAIN),
    "one NaN": (
        HF,
        tensor("h.1.ln_2.bias", lambda t: t.index_fill(0, torch.tensor(5), torch.nan)),
        "checkpoint_not_finite",
        "h.1.ln_2.bias",
    ),
    "untied head": (HF, tensor("lm_head.weight", lambda t: torch.zeros(29, 24)), "checkpoint_untied", WEIGHTS),
    "no tokenizer": (OURS, gone(TOKENIZER), "checkpoint_no_tokenizer", TOKENIZER),
    "damaged tokenizer": (OURS, cut(TOKENIZER, 300), "tokenizer_json", TOKENIZER),
    "no merges": (OLD, gone("vocab_40000.bpe"), "tokenizer_missing", "vocab_40000.bpe"),
    "array missing": (OLD, gone(ARRAY), "checkpoint_file_missing", ARRAY),
    "array cut": (OLD, cut(ARRAY, 500), "checkpoint_damaged", ARRAY),
    "array cut in the header": (OLD, cut(ARRAY, 20), "checkpoint_damaged", ARRAY),
    "array too short": (OLD, array(lambda a: a[:9]), "checkpoint_sizes", "params_9.npy"),
    "array of another kind": (OLD, array(np.float64), "checkpoint_damaged", "float64"),
    "no shapes": (OLD, gone(SHAPES), "checkpoint_file_missing", SHAPES),
    "other shapes": (OLD, content(SHAPES, b"[[11, 24], [29, 24], [3]]"), "checkpoint_shapes", SHAPES),
    "shapes of something": (OLD, content(SHAPES, b'{"a": 1}'), "checkpoint_shapes", SHAPES),
    "NaN in an array": (OLD, array(lambda a: a * np.nan), "checkpoint_not_finite", "params_"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_folder_is_refused_by_file_and_fault(fault, tmp_path):
    format, damage, code, named = FAULTS[fault]
    folder = stores.FORMATS[format](tmp_path / "mine")
    load(folder)
    damage(folder)
    error = refusal(folder)
    assert error.code == code
    for lang in ("en", "zh"):
        assert str(folder) in error.message(lang) and named in error.message(lang)


def test_wherever_the_weights_are_cut_they_are_refused(tmp_path):
    folder = stores.ours(tmp_path / "mine")
    whole = (folder / WEIGHTS).read_bytes()
    for keep in [*range(0, 40), *range(40, len(whole), len(whole) // 50)]:
        (folder / WEIGHTS).write_bytes(whole[:keep])
        assert refusal(folder).code == "checkpoint_damaged"


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_no_pickle_is_opened_whatever_its_name(tmp_path):
    sprung = tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    pickle.loads(trap)
    assert sprung.exists()  # the trap works
    sprung.unlink()
    binary = stores.huggingface(tmp_path / "bin")
    (binary / WEIGHTS).rename(binary / "pytorch_model.bin")
    (binary / "pytorch_model.bin").write_bytes(trap)
    renamed, zipped = stores.ours(tmp_path / "renamed"), stores.huggingface(tmp_path / "zipped")
    (renamed / WEIGHTS).write_bytes(trap)
    torch.save({"tokens_embed.weight": Trap(sprung)}, zipped / WEIGHTS)
    objects, array = stores.release(tmp_path / "objects"), stores.release(tmp_path / "array")
    np.save(objects / ARRAY, np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    (array / ARRAY).write_bytes(trap)
    for folder in (binary, renamed, zipped, objects, array):
        error = refusal(folder)
        assert error.code == "checkpoint_pickled" and error.params["path"].parent == folder
    assert not sprung.exists()


def test_what_is_no_checkpoint_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for what, code in (
        (tmp_path / "none", "checkpoint_no_folder"),
        (tmp_path / "file", "checkpoint_not_folder"),
        (str(tmp_path / "file"), "checkpoint_not_folder"),
        (tmp_path / "empty", "checkpoint_nothing"),
        ("no such model", "no_such_model"),
        ("long " * 2000, "no_such_model"),
    ):
        assert refusal(what).code == code
    assert "storybook" in str(refusal("no such model"))


def test_a_vocabulary_of_another_size_is_refused(tmp_path):
    folder = stores.ours(tmp_path / "mine")
    type(stores.tokenizer()).train([stores.TEXT], 27).save(folder / TOKENIZER)
    error = refusal(folder)
    assert error.code == "checkpoint_vocab" and "27" in str(error) and "29" in str(error)


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there_is_refused(device):
    error = refusal("storybook", device=device)
    assert error.code == "device" and device in str(error)


@pytest.mark.parametrize(
    ("task", "code"),
    [
        ({"kind": "poetry", "labels": ["a"]}, "checkpoint_json"),
        ({"labels": ["a"]}, "checkpoint_json"),
        ({"kind": "token"}, "checkpoint_json"),
        ({"kind": "token", "labels": [1]}, "checkpoint_json"),
        ({"kind": "token", "labels": ["a", "b", "c"]}, "checkpoint_tensor_shape"),
    ],
)
def test_a_task_head_that_does_not_fit_is_refused(task, code, tmp_path):
    extra = {"task_head.clf.weight": torch.zeros(1, 24), "task_head.clf.bias": torch.zeros(1)}
    folder = stores.ours(tmp_path / "mine", extra=extra)
    (folder / "task.json").write_text(json.dumps(task))
    error = refusal(folder)
    assert error.code == code and str(folder) in str(error)
