"""The three folders a GPT-1 comes in: Hugging Face's, gpt1viz's own, and the 2018 release's ten arrays.

Reading maps files into memory and names every tensor as `GPT1` does, matrices turned to (out, in); nothing is copied
until `fill`. Nothing is ever unpickled: a pickle can run code when it is opened.
"""

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .config import GPT1Config
from .errors import GPT1VizError
from .model import GPT1, TaskHead
from .reading import read_bytes

OURS, HUGGINGFACE, RELEASE = "gpt1viz", "huggingface", "openai-2018"
MATRICES = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # (in, out) in 2018 and at Hugging Face
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("encoder_bpe_40000.json", "vocab_40000.bpe"))
HF_NAMES = {"n_ctx": "n_positions"} | {
    name: name for name in ("n_embd", "n_layer", "n_head", "afn", "resid_pdrop", "embd_pdrop", "attn_pdrop")
}


@dataclass(frozen=True)
class Stored:
    """What a folder holds: tensors by the names of `GPT1.state_dict`, still lying in their files."""

    format: str
    config: GPT1Config
    path: Path  # the file that errors name
    tensors: dict[str, Tensor]
    task: dict | None = None  # {"kind", "labels"} of a fine-tuned one


def read(folder: Path) -> Stored:
    """Recognise the folder's format and map its tensors.

    Raises:
        GPT1VizError: no folder, nothing in it that is a GPT-1, another architecture, a damaged or pickled file,
            tensors that are missing, surplus or of another shape than the configuration says.
    """
    if not os.path.exists(folder):  # Path.exists raises on names that are too long
        raise GPT1VizError("checkpoint_no_folder", path=folder)
    if not folder.is_dir():
        raise GPT1VizError("checkpoint_not_folder", path=folder)
    if (path := folder / "config.json").exists():
        values = read_json(path)
        found = values.get("format") or values.get("model_type")
        if found == OURS:
            return _read_ours(folder, _config(GPT1Config.from_dict, values, path))
        if found == "openai-gpt":
            return _read_huggingface(folder, _config(from_huggingface, values, path))
        raise GPT1VizError("checkpoint_foreign", path=path, found=found or values.get("architectures"))
    if (folder / "params_shapes.json").exists() or (folder / "params_0.npy").exists():
        return _read_release(folder)
    raise GPT1VizError("checkpoint_nothing", path=folder)


def read_json(path: Path) -> dict:
    """A JSON object.

    Raises:
        GPT1VizError: the file is missing, unreadable or no JSON object.
    """
    values = _json(path)
    if not isinstance(values, dict):
        raise GPT1VizError("checkpoint_json", path=path, fault=type(values).__name__)
    return values


def read_tokenizer(folder: Path, config: GPT1Config | None = None):
    """The Tokenizer whose files lie in `folder`; with its model's configuration their sizes are compared.

    Raises:
        GPT1VizError: no such files, damaged ones, or a vocabulary of another size than the model's.
    """
    from .tokenizer import Tokenizer

    paths = next((p for p in ([folder / n for n in names] for names in TOKENIZERS) if p[0].exists()), None)
    if paths is None:
        raise GPT1VizError("checkpoint_no_tokenizer", path=folder)
    tokenizer = Tokenizer.from_json(*paths) if len(paths) == 1 else Tokenizer.from_files(*paths)
    if config is not None and tokenizer.n_vocab != config.n_vocab:
        raise GPT1VizError("checkpoint_vocab", path=paths[0], found=tokenizer.n_vocab, wanted=config.n_vocab)
    return tokenizer


def fill(stored: Stored) -> tuple[GPT1, TaskHead | None]:
    """The model, and its task head if it has one, in float32 on the CPU.

    Raises:
        GPT1VizError: a weight that is not a finite number.
    """
    with _Uninitialised():
        model = GPT1(stored.config)
    _copy(stored.tensors, model, "", stored.path)
    if stored.task is None:
        return model, None
    head = TaskHead(stored.task["kind"], stored.config.n_embd, stored.task["labels"], stored.config.clf_pdrop)
    _copy(stored.tensors, head, "task_head.", stored.path)
    return model, head


def restore(folder: Path, model: nn.Module, head: TaskHead | None = None) -> None:
    """Fill a model, and its head, from a checkpoint that `checkpoints.save` wrote of one like it.

    Raises:
        GPT1VizError: a damaged file, or one of another shape.
    """
    path, modules = folder / "model.safetensors", {"": model} | ({"task_head.": head} if head else {})
    tensors = _safetensors(path)
    wanted = ((at + name, tuple(p.shape)) for at, module in modules.items() for name, p in module.named_parameters())
    _check(wanted, tensors, path)
    for prefix, module in modules.items():
        _copy(tensors, module, prefix, path)


def shapes(config: GPT1Config) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter, blocks in the order of the 2018 file (params_shapes.json)."""
    c, f = config.n_embd, 4 * config.n_embd
    yield "tokens_embed.weight", (config.n_rows, c)
    if config.positions == "learned":
        yield "positions_embed.weight", (config.n_ctx, c)
    for layer in range(config.n_layer):
        for name, n_out, n_in in (("attn.c_attn", 3 * c, c), ("attn.c_proj", c, c), ("ln_1", c, 0)):
            yield from _pair(f"h.{layer}.{name}", n_out, n_in)
        for name, n_out, n_in in (("mlp.c_fc", f, c), ("mlp.c_proj", c, f), ("ln_2", c, 0)):
            yield from _pair(f"h.{layer}.{name}", n_out, n_in)
    if config.norm == "pre":
        yield from _pair("ln_f", c, 0)


def to_huggingface(model: GPT1) -> tuple[dict, dict[str, Tensor]]:
    """Hugging Face's config.json and tensors of a model: `n_special` rows count as vocabulary there.

    Raises:
        GPT1VizError: a teaching switch is not as in GPT-1, which their port cannot express.
    """
    config = model.config
    for name in ("norm", "positions", "causal", "scale_attn"):
        if (value := getattr(config, name)) != getattr(GPT1Config(), name):
            raise GPT1VizError("export_switch", field=name, value=value)
    values = {"architectures": ["OpenAIGPTLMHeadModel"], "model_type": "openai-gpt", "vocab_size": config.n_rows}
    values |= {theirs: getattr(config, ours) for ours, theirs in HF_NAMES.items()}
    values |= {"n_special": config.n_special, "layer_norm_epsilon": 1e-5, "dtype": "float32"}
    tensors = {
        f"transformer.{name}": (tensor.t() if name.endswith(MATRICES) else tensor).float().contiguous()
        for name, tensor in model.state_dict().items()
    }
    return values, tensors


def from_huggingface(values: dict) -> GPT1Config:
    """The configuration that a Hugging Face config.json describes; what it leaves out is as in GPT-1, there as here.

    Raises:
        GPT1VizError: values that no GPT-1 has.
    """
    if (epsilon := values.get("layer_norm_epsilon", 1e-5)) != 1e-5:
        raise GPT1VizError("checkpoint_epsilon", value=epsilon)
    config = {ours: values[theirs] for ours, theirs in HF_NAMES.items() if theirs in values}
    if config.get("afn") == "swish":
        config["afn"] = "silu"
    n_rows, n_special = values.get("vocab_size", GPT1Config.n_vocab), values.get("n_special", 0)
    n_vocab = n_rows - n_special if isinstance(n_rows, int) and isinstance(n_special, int) else n_rows
    return GPT1Config(**config, n_vocab=n_vocab, n_special=n_special)


def renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of Hugging Face's port by our names and orientation; masks and other heads are left out."""
    trunk = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    return {
        name: tensor.t() if name.endswith(MATRICES) and tensor.ndim == 2 else tensor
        for name, tensor in trunk.items()
        if name.startswith(("tokens_embed.", "positions_embed.", "h.")) and not name.endswith(".attn.bias")
    }


def _config(make: Callable[[dict], GPT1Config], values: dict, path: Path) -> GPT1Config:
    try:
        return make(values)
    except GPT1VizError as fault:
        raise GPT1VizError("checkpoint_config", path=path, fault=fault) from None
    except TypeError as fault:  # a list, say, where a name belongs
        raise GPT1VizError("checkpoint_json", path=path, fault=fault) from None


def _read_ours(folder: Path, config: GPT1Config) -> Stored:
    path, task, extra = folder / "model.safetensors", None, []
    if (task_path := folder / "task.json").exists():
        task = read_json(task_path)
        kind, labels = task.get("kind"), task.get("labels")
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise GPT1VizError("checkpoint_json", path=task_path, fault="labels")
        if kind not in TaskHead.KINDS:
            raise GPT1VizError("checkpoint_json", path=task_path, fault="kind")
        extra = _pair("task_head.clf", 1 if kind == "choice" else len(labels), config.n_embd)
    tensors = _safetensors(path)
    _check(chain(shapes(config), extra), tensors, path)
    return Stored(OURS, config, path, tensors, task)


def _read_huggingface(folder: Path, config: GPT1Config) -> Stored:
    path = folder / "model.safetensors"
    if not path.exists() and (pickle := folder / "pytorch_model.bin").exists():
        raise GPT1VizError("checkpoint_pickled", path=pickle)
    stored = _safetensors(path)
    tensors = renamed(stored)
    _check(shapes(config), tensors, path)
    head = stored.get("lm_head.weight")
    if head is not None and not _equal(head, tensors["tokens_embed.weight"]):
        raise GPT1VizError("checkpoint_untied", path=path)
    return Stored(HUGGINGFACE, config, path, tensors)


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether they hold the same numbers, in whatever precision."""
    return one.is_floating_point() and torch.equal(one.float(), other.float())


def _read_release(folder: Path) -> Stored:
    """`params_shapes.json` says how to cut what the ten arrays hold, one after the other (train.py of 2018)."""
    path = folder / "params_shapes.json"
    values = _json(path)
    try:
        described = [tuple(shape) for shape in values]
        (n_ctx, n_embd), (n_vocab, _) = described[:2]
        config = GPT1Config(n_vocab=n_vocab, n_ctx=n_ctx, n_embd=n_embd, n_layer=(len(described) - 2) // 12)
    except (TypeError, ValueError):
        raise GPT1VizError("checkpoint_shapes", path=path) from None
    tokens, positions, *blocks = shapes(config)
    order = dict([positions, tokens, *blocks])
    if described != [(1, *shape[::-1]) if name.endswith(MATRICES) else shape for name, shape in order.items()]:
        raise GPT1VizError("checkpoint_shapes", path=path)
    arrays = [_array(folder / f"params_{n}.npy") for n in range(10)]
    found, wanted = sum(array.size for array in arrays), sum(math.prod(shape) for shape in order.values())
    if found != wanted:
        raise GPT1VizError("checkpoint_sizes", path=folder, found=found, wanted=wanted)
    runs = _split(arrays, [math.prod(shape) for shape in order.values()])
    flat = dict(zip(order, runs, strict=True))
    tensors = {name: flat[name].view(order[name][::-1] if name.endswith(MATRICES) else order[name]) for name in order}
    return Stored(RELEASE, config, folder / "params_*.npy", renamed(tensors))


def _split(arrays: list[np.ndarray], sizes: list[int]) -> Iterator[Tensor]:
    """Cut the arrays, taken as one, into runs of these sizes; only a run across two files is copied."""
    which, start = 0, 0
    for size in sizes:
        parts = []
        while size:
            part = arrays[which][start : start + size]
            parts.append(part)
            size, start = size - part.size, start + part.size
            if start == arrays[which].size:
                which, start = which + 1, 0
        yield torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts))


def _array(path: Path) -> np.ndarray:
    """A flat float32 array of the 2018 release, mapped (privately: torch wants it writable)."""
    _bytes(path, 1)
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except Exception as fault:  # a damaged header makes numpy raise almost anything
        code = "checkpoint_pickled" if "bject" in str(fault) else "checkpoint_damaged"
        raise GPT1VizError(code, path=path, fault=fault) from None
    if not isinstance(array, np.ndarray):  # an archive of arrays
        raise GPT1VizError("checkpoint_damaged", path=path, fault=type(array).__name__)
    if array.ndim != 1 or array.dtype != np.float32:
        raise GPT1VizError("checkpoint_damaged", path=path, fault=f"{array.dtype} {array.shape}")
    return array


def _safetensors(path: Path) -> dict[str, Tensor]:
    start = _bytes(path, 24)
    if start.startswith(b"version https://git-lfs"):
        raise GPT1VizError("checkpoint_pointer", path=path)
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise GPT1VizError("checkpoint_pickled", path=path)
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except SafetensorError as fault:
        raise GPT1VizError("checkpoint_damaged", path=path, fault=fault) from None


def _json(path: Path):
    try:
        return json.loads(_bytes(path))
    except GPT1VizError:
        raise
    except (ValueError, RecursionError) as fault:
        raise GPT1VizError("checkpoint_json", path=path, fault=fault) from None


def _bytes(path: Path, n: int = -1) -> bytes:
    """The first n bytes of a file, all of them by default."""
    try:
        return read_bytes(path, n)
    except FileNotFoundError:
        raise GPT1VizError("checkpoint_file_missing", path=path) from None
    except OSError as fault:
        raise GPT1VizError("checkpoint_unreadable", path=path, fault=fault.strerror) from None


def _check(wanted: Iterable[tuple[str, tuple[int, ...]]], tensors: dict[str, Tensor], path: Path) -> None:
    """Every parameter there, in its shape, in floating point, and none besides."""
    known = set()
    for name, shape in wanted:
        if name not in tensors:
            raise GPT1VizError("checkpoint_tensor_missing", path=path, name=name)
        found = tuple(tensors[name].shape)
        if found != shape:
            raise GPT1VizError("checkpoint_tensor_shape", path=path, name=name, found=found, wanted=shape)
        if not tensors[name].is_floating_point():
            raise GPT1VizError("checkpoint_tensor_type", path=path, name=name, found=tensors[name].dtype)
        known.add(name)
    for name in sorted(tensors.keys() - known):
        raise GPT1VizError("checkpoint_tensor_surplus", path=path, name=name)


def _pair(name: str, n_out: int, n_in: int) -> list[tuple[str, tuple[int, ...]]]:
    """Weight and bias of a linear layer, or gain and bias of a LayerNorm (n_in 0)."""
    return [(f"{name}.weight", (n_out, n_in) if n_in else (n_out,)), (f"{name}.bias", (n_out,))]


@torch.no_grad()
def _copy(tensors: dict[str, Tensor], module: nn.Module, prefix: str, path: Path) -> None:
    for name, parameter in module.named_parameters():
        parameter.copy_(tensors[prefix + name])
        if not _finite(parameter.detach().cpu().numpy()):
            raise GPT1VizError("checkpoint_not_finite", path=path, name=prefix + name)


def _finite(numbers: np.ndarray) -> bool:
    """Any infinity or NaN spoils the sum, which is quick; a sum that merely overflows is looked at again."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(numbers.sum()) or np.isfinite(numbers).all())


class _Uninitialised(TorchFunctionMode):
    """Leaves new parameters as memory holds them: drawing 117 million random numbers takes seconds."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__module__", None) == "torch.nn.init":
            return (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
