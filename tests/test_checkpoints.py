"""Loading, saving, exporting: what comes back is what was stored, from wherever it lies."""

import errno
import json
import math
import os
import shutil
from dataclasses import replace

import pytest
import stores
import torch
from huggingface_hub import constants
from stores import refusal
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


# ---- loading


def test_the_bundled_checkpoint_is_what_its_card_says():
    loaded = load("storybook")
    model, tokenizer, *_ = loaded
    no_dropout = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0.0)
    assert model.config == replace(GPT1Config.preset("storybook"), **no_dropout) and tokenizer.n_vocab == 4096
    assert loaded.info.n_params == sum(p.numel() for p in model.parameters()) == 3_504_768
    assert loaded.info.dtype == "float16" and {p.dtype for p in model.parameters()} == {torch.float32}
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert loaded.task is None and "1.235" in loaded.info.card.read_text(encoding="utf-8")
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


# ---- what is there


def test_folders_that_the_owner_named_are_available_by_name(tmp_path, monkeypatch):
    mine, twin = stores.ours(tmp_path / "mine"), tmp_path / "elsewhere" / "mine"
    twin.parent.mkdir()
    shutil.copytree(mine, twin)
    named = [mine, tmp_path / "vanished", twin, stores.release(tmp_path / "old")]
    monkeypatch.setenv("GPT1VIZ_MODELS", os.pathsep.join(map(str, named)))
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
    (tmp_path / "openai-gpt" / "params_7.npy").unlink()
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
    (repo / "snapshots" / commit / "config.json").write_text('{"model_type": "gpt2"}')
    assert checkpoints.list_models() == ["storybook"]
