"""Loading, saving, exporting: what comes back is what was stored, and what is wrong is refused by name."""

import errno
import json
import math
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import stores
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from tiny import close, random_ids, tiny_model

from gpt1viz import GPT1Config, checkpoints, download, formats, load, save
from gpt1viz.errors import GPT1VizError
from gpt1viz.model import TaskHead


def same_model(found, wanted) -> bool:
    """Bit for bit the same parameters, and the same logits."""
    mine, theirs = found.state_dict(), wanted.state_dict()
    ids = random_ids(high=wanted.config.n_vocab)
    equal = all(torch.equal(mine[name], theirs[name]) for name in theirs)
    return mine.keys() == theirs.keys() and equal and close(found(ids).logits, wanted(ids).logits, 1e-6)


def refusal(folder, **options) -> GPT1VizError:
    """The refusal of a load: one sentence or two in each language, no traceback text."""
    with pytest.raises(GPT1VizError) as caught:
        load(folder, **options)
    for lang in ("en", "zh"):
        assert "\n" not in caught.value.message(lang).strip()
    return caught.value


# ---- loading


def test_the_bundled_checkpoint_is_what_its_card_says():
    loaded = load("storybook")
    model, tokenizer, *_ = loaded
    assert model.config == GPT1Config.preset("storybook") and tokenizer.n_vocab == 4096
    assert loaded.info.n_params == sum(p.numel() for p in model.parameters()) == 3_504_768
    assert loaded.info.dtype == "float16" and {p.dtype for p in model.parameters()} == {torch.float32}
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert loaded.task is None and "1.377" in loaded.info.card.read_text(encoding="utf-8")
    ids = torch.tensor([tokenizer.encode("Once upon a time there was a little boy who")])
    surprisal = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:])
    assert surprisal < math.log(200)  # it has learned English: an untrained one stands at log(4096)


@pytest.mark.parametrize("format", stores.FORMATS)
def test_every_format_gives_the_stored_model(format, tmp_path):
    loaded = load(stores.FORMATS[format](tmp_path / "mine"))
    assert same_model(loaded.model, stores.model())
    assert (loaded.info.id, loaded.info.format, loaded.info.dtype) == ("mine", format, "float32")
    assert loaded.info.source == str(tmp_path / "mine")
    assert loaded.tokenizer.encode(stores.TEXT) == stores.tokenizer().encode(stores.TEXT)


def test_a_prefix_masks_and_a_tied_head_change_nothing(tmp_path):
    tied = stores.port(stores.model())["tokens_embed.weight"].clone()
    extra = {
        "lm_head.weight": tied,
        "transformer.h.0.attn.bias": torch.ones(1, 1, 11, 11),
        "score.weight": torch.ones(2),
    }
    folder = stores.huggingface(tmp_path / "mine", prefix="transformer.", extra=extra)
    assert same_model(load(folder).model, stores.model())


def test_vocab_and_merges_serve_as_well_as_tokenizer_json(tmp_path):
    folder = stores.huggingface(tmp_path / "mine")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(stores.tokenizer().vocab))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, stores.tokenizer().merges)) + "\n")
    assert load(folder).tokenizer.encode(stores.TEXT) == stores.tokenizer().encode(stores.TEXT)


def test_half_precision_is_stored_and_read_as_float32(tmp_path):
    save(stores.model(), tmp_path / "half", stores.tokenizer(), dtype=torch.float16)
    loaded = load(tmp_path / "half")
    weight = loaded.model.tokens_embed.weight
    assert loaded.info.dtype == "float16" and weight.dtype == torch.float32
    assert torch.equal(weight, stores.model().tokens_embed.weight.half().float())


@pytest.mark.parametrize("changes", [{}, {"norm": "pre"}, {"positions": "none"}, {"positions": "sinusoidal"}])
def test_the_list_of_parameters_is_the_models_own(changes):
    model = tiny_model(**changes)
    assert dict(formats.shapes(model.config)) == {name: tuple(p.shape) for name, p in model.named_parameters()}


def test_parameters_are_those_of_the_2018_file_in_its_order(shared):
    tokens, positions, *blocks = (math.prod(shape) for _, shape in formats.shapes(GPT1Config()))
    wanted = json.loads((shared / "gpt1-tokenizer" / "params_shapes.json").read_text())
    assert [positions, tokens, *blocks] == [math.prod(shape) for shape in wanted]


# ---- saving


def test_what_is_saved_comes_back_with_switches_special_rows_and_task_head(tmp_path):
    model = tiny_model(norm="pre", positions="none", causal=False, scale_attn=False, afn="silu", n_special=3)
    task = TaskHead("classification", model.config.n_embd, ("sad", "快乐"))
    save(model, tmp_path / "mine", stores.tokenizer(), task)
    loaded = load(tmp_path / "mine")
    assert loaded.model.config == model.config and same_model(loaded.model, model)
    assert loaded.task.kind == "classification" and loaded.task.labels == ("sad", "快乐")
    assert torch.equal(loaded.task.clf.weight, task.clf.weight) and torch.equal(loaded.task.clf.bias, task.clf.bias)
    assert not loaded.task.training and not loaded.task.clf.weight.requires_grad
    save(loaded, tmp_path / "again")
    assert load(tmp_path / "again").task.labels == ("sad", "快乐")


def test_a_checkpoint_replaces_an_older_one_whole(tmp_path):
    save(tiny_model(1), tmp_path / "mine", stores.tokenizer(), TaskHead("choice", 12))
    save(tiny_model(2), tmp_path / "mine", stores.tokenizer())
    assert same_model(load(tmp_path / "mine").model, tiny_model(2)) and load(tmp_path / "mine").task is None
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_what_was_there(existing, tmp_path, monkeypatch):
    if existing:
        save(tiny_model(1), tmp_path / "mine", stores.tokenizer())

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(stores.tokenizer()), "save", full)
    with pytest.raises(GPT1VizError, match="No space left"):
        save(tiny_model(2), tmp_path / "mine", stores.tokenizer())
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"] * existing
    assert not existing or same_model(load(tmp_path / "mine").model, tiny_model(1))


def test_a_save_that_would_harm_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    broken = tiny_model()
    broken.h[1].ln_1.bias[3] = torch.nan
    for what, tokenizer, folder, code in (
        (tiny_model(), stores.tokenizer(), "mine", "save_other_files"),
        (tiny_model(), None, "new", "save_no_tokenizer"),
        (tiny_model(n_vocab=28), stores.tokenizer(), "new", "save_vocab"),
        (broken, stores.tokenizer(), "new", "save_not_finite"),
    ):
        with pytest.raises(GPT1VizError) as caught:
            save(what, tmp_path / folder, tokenizer)
        assert caught.value.code == code
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


@pytest.mark.parametrize(
    "switch", [{"norm": "pre"}, {"positions": "none"}, {"causal": False}, {"scale_attn": False}], ids=str
)
def test_export_refuses_what_the_port_cannot_express(switch, tmp_path):
    save(tiny_model(**switch), tmp_path / "mine", stores.tokenizer())
    with pytest.raises(GPT1VizError, match=next(iter(switch))):
        checkpoints.export(load(tmp_path / "mine"), tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


# ---- refusals


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


# ---- what is there


def test_folders_that_the_owner_named_are_available_by_name(tmp_path, monkeypatch):
    mine, twin = stores.ours(tmp_path / "mine"), tmp_path / "elsewhere" / "mine"
    twin.parent.mkdir()
    shutil.copytree(mine, twin)
    named = [mine, tmp_path / "vanished", twin, stores.release(tmp_path / "old")]
    monkeypatch.setenv("GPT1VIZ_MODELS", checkpoints.os.pathsep.join(map(str, named)))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert checkpoints.list_models() == ["storybook", "mine", "old"]
    assert [entry.location for entry in checkpoints.available()][1:] == [mine, tmp_path / "old"]
    assert load("mine").info.source == str(mine) and load("old").info.format == "openai-2018"


def test_the_2018_release_is_loaded_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_CACHE", str(tmp_path))
    assert "gpt1viz download openai-gpt" in str(refusal("openai-gpt", download=False))
    stores.release(tmp_path / "openai-gpt")
    assert "openai-gpt" in checkpoints.list_models()
    loaded = load("openai-gpt", download=False)
    assert same_model(loaded.model, stores.model())
    assert loaded.info.commit == download.COMMIT and "openai/finetune-transformer-lm" in loaded.info.source
    (tmp_path / "openai-gpt" / ARRAY).unlink()
    assert "openai-gpt" not in checkpoints.list_models()


def test_a_hub_model_is_loaded_from_the_hubs_cache_with_its_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert refusal("hf:someone/small", download=False).code == "not_downloaded"
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "models--someone--small"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "snapshots").mkdir()
    stores.huggingface(repo / "snapshots" / commit)
    for what in ("hf:someone/small", f"hf:someone/small@{commit}"):
        loaded = load(what)
        assert loaded.info.commit == commit and loaded.info.id == what and same_model(loaded.model, stores.model())
    assert checkpoints.list_models() == ["storybook", "hf:someone/small"]
    config(model_type="gpt2")(repo / "snapshots" / commit)
    assert checkpoints.list_models() == ["storybook"]
