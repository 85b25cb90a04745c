"""load, save, export: GPT-1 checkpoints from the bundle, the cache, the hub or a folder."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from . import download as downloads
from . import formats
from .config import GPT1Config
from .errors import GPT1VizError
from .model import GPT1, TaskHead
from .reading import expanded

if TYPE_CHECKING:
    from .tokenizer import Tokenizer

BUNDLED = Path(__file__).parent / "assets" / "storybook"
HUB = "hf:"
WRITTEN = {"config.json", "model.safetensors", "tokenizer.json", "task.json"}


@dataclass(frozen=True)
class Info:
    """What a checkpoint is and where it came from.

    Attributes:
        id: what `load` takes and links carry; a folder's name for a folder.
        name: for people.
        source: "bundled", a repository, or a folder's path.
        format: "gpt1viz", "huggingface" or "openai-2018".
        dtype: of the stored numbers, e.g. "float16"; in memory they are float32.
        config: its shape.
        n_params: number of parameters, the tied head counted once.
        commit: the pinned or resolved revision of a download.
        card: its model card (README.md), if it has one.
    """

    id: str
    name: str
    source: str
    format: str
    dtype: str
    config: GPT1Config
    n_params: int
    commit: str | None = None
    card: Path | None = None


class Loaded(NamedTuple):
    """A frozen model in eval mode with its tokenizer: `model, tokenizer, *_ = load(...)`."""

    model: GPT1
    tokenizer: "Tokenizer"
    info: Info
    task: TaskHead | None = None


@dataclass(frozen=True)
class ModelEntry:
    """A checkpoint that can be loaded here without a network: `load(entry.id)`."""

    id: str
    name: str
    location: Path
    source: str
    commit: str | None = None


def load(what: str | Path = "storybook", device: str | torch.device = "cpu", *, download: bool = True) -> Loaded:
    """Load a checkpoint.

    Args:
        what: "storybook" (bundled); "openai-gpt" (the 2018 release, 466 MB, fetched once from OpenAI's repository and
            verified file by file); "hf:owner/name" or "hf:owner/name@revision" (Hugging Face hub); an id of
            `available()`; a folder in Hugging Face's, gpt1viz's or the 2018 format; or a training run's folder, with
            "@500" behind it for the checkpoint of step 500, else the newest.
        device: where the model goes.
        download: False raises instead of fetching what is not in the cache.

    Returns:
        Loaded(model, tokenizer, info, task): float32, frozen, in eval mode; `task` for a fine-tuned one.

    Raises:
        GPT1VizError: nothing of that name, no network, or a file that is damaged, foreign, pickled or does not fit.
    """
    entry = _find(what, download)
    stored = formats.read(entry.location)
    tokenizer = formats.read_tokenizer(entry.location, stored.config)
    model, task = formats.fill(stored)
    card = entry.location / "README.md"
    info = Info(
        id=entry.id,
        name=entry.name,
        source=entry.source,
        format=stored.format,
        dtype=str(stored.tensors["tokens_embed.weight"].dtype).removeprefix("torch."),
        config=stored.config,
        n_params=stored.config.n_params,
        commit=entry.commit,
        card=card if card.exists() else None,
    )
    for module in (model, task):
        if module is not None:
            _move(module.eval().requires_grad_(False), device)
    return Loaded(model, tokenizer, info, task)


def available() -> list[ModelEntry]:
    """What `load` finds without a network.

    The bundled checkpoint, downloads, and the folders that GPT1VIZ_MODELS names (joined as in PATH), by their names.
    """
    entries: dict[str, ModelEntry] = {}
    for entry in _entries():
        entries.setdefault(entry.id, entry)
    return list(entries.values())


def list_models() -> list[str]:
    """The ids of `available()`."""
    return [entry.id for entry in available()]


def save(
    what: Loaded | GPT1,
    folder: str | Path,
    tokenizer: "Tokenizer | None" = None,
    task: TaskHead | None = None,
    dtype: torch.dtype | None = None,
) -> Path:
    """Write a checkpoint in gpt1viz's own format: model.safetensors, config.json, tokenizer.json, and task.json.

    It is written beside and renamed, so that the folder holds the old checkpoint or the new one, never half of it.

    Args:
        what: as `load` gave it, or a model.
        folder: new, or an older checkpoint to replace.
        tokenizer, task: take the place of those in `what`; a bare model needs a tokenizer.
        dtype: to store in, e.g. torch.float16; None keeps the model's.

    Raises:
        GPT1VizError: no tokenizer, or one of another size; weights that are not finite; a folder with other files in
            it; a disk that is full or refuses.
    """
    model = what.model if isinstance(what, Loaded) else what
    if isinstance(what, Loaded):
        tokenizer, task = tokenizer or what.tokenizer, task or what.task
    _check(model, tokenizer)
    tensors = model.state_dict()
    config = {"format": getattr(model, "format", formats.OURS), **model.config.to_dict()}
    labels = None
    if task is not None:
        tensors |= {f"task_head.{name}": tensor for name, tensor in task.state_dict().items()}
        labels = {"kind": task.kind, "labels": list(task.labels)}
    with _beside(Path(folder)) as beside:
        _write(beside, tensors, config, tokenizer, dtype)
        if labels:
            _write_json(beside / "task.json", labels)
    return Path(folder)


def export(what: Loaded, folder: str | Path) -> Path:
    """Write a folder that Hugging Face's `OpenAIGPTLMHeadModel.from_pretrained` loads with the same logits.

    Their port knows the language model only: special rows become vocabulary, a task head is left out.

    Raises:
        GPT1VizError: a teaching switch that their port lacks; else as `save`.
    """
    config, tensors = formats.to_huggingface(what.model)
    with _beside(Path(folder)) as beside:
        _write(beside, tensors, config, what.tokenizer, torch.float32)
    return Path(folder)


def run_steps(run: Path) -> dict[int, Path]:
    """The checkpoints of a training run by step, oldest first; none where the folder is no run."""
    if not os.path.isdir(run / "checkpoints"):  # Path.is_dir raises on names that are too long
        return {}
    folders = {folder.name.removeprefix("step-"): folder for folder in (run / "checkpoints").glob("step-*")}
    return {int(step): folders[step] for step in sorted(filter(str.isdecimal, folders), key=int)}


def _find(what: str | Path, download: bool) -> ModelEntry:
    if isinstance(what, Path):
        return folder_entry(what)
    if what.startswith(HUB):
        repo, _, revision = what.removeprefix(HUB).partition("@")
        find = downloads.from_hub if download else downloads.cached_hub
        if folder := find(repo, revision or None):
            return _hub_entry(what, folder)
        raise GPT1VizError("not_downloaded", model=what)
    for entry in _entries():
        if entry.id == what:
            return entry
    if what == "openai-gpt":
        if not download:
            raise GPT1VizError("not_downloaded", model=what)
        return _openai_entry(downloads.openai_gpt())
    entry = folder_entry(expanded(what))
    if not os.path.exists(entry.location):  # Path.exists raises on names that are too long
        raise GPT1VizError("no_such_model", model=what, known=", ".join(list_models()))
    return entry


def _entries() -> Iterator[ModelEntry]:
    yield ModelEntry("storybook", "Storybook", BUNDLED, "bundled")
    if folder := downloads.cached_openai_gpt():
        yield _openai_entry(folder)
    for repo, folder in downloads.cached_hub_models():
        yield _hub_entry(HUB + repo, folder)
    for name in filter(None, os.environ.get("GPT1VIZ_MODELS", "").split(os.pathsep)):
        if (folder := _restored(expanded(name))).is_dir():
            yield folder_entry(folder)


def _openai_entry(folder: Path) -> ModelEntry:
    source = f"github.com/{downloads.REPOSITORY}"
    return ModelEntry("openai-gpt", "OpenAI GPT-1 (2018)", folder, source, downloads.COMMIT)


def _hub_entry(id: str, folder: Path) -> ModelEntry:
    return ModelEntry(id, id.removeprefix(HUB), folder, "Hugging Face hub", folder.name)


def folder_entry(folder: Path) -> ModelEntry:
    """What a folder is to `load`: itself, or where it is a run's, its newest checkpoint or that of "RUN@STEP"."""
    folder = _restored(folder.absolute())
    name, _, step = folder.name.rpartition("@")
    run = folder.with_name(name) if name and step.isdecimal() and not os.path.exists(folder) else folder
    if steps := run_steps(run):
        wanted = max(steps) if run == folder else int(step)
        if wanted not in steps:
            raise GPT1VizError("run_step", path=run, step=wanted, known=", ".join(map(str, steps)))
        name = f"{run.name}@{wanted}"
        return ModelEntry(name, name, steps[wanted], str(run))
    return ModelEntry(folder.name, folder.name, folder, str(folder))


def _move(module: torch.nn.Module, device: str | torch.device) -> None:
    try:
        module.to(device)
    except (RuntimeError, AssertionError) as fault:  # torch has no narrower base for "no such device"
        raise GPT1VizError("device", device=device, fault=str(fault).partition("\n")[0]) from fault


def _check(model: GPT1, tokenizer: "Tokenizer | None") -> None:
    if tokenizer is None:
        raise GPT1VizError("save_no_tokenizer")
    if tokenizer.n_vocab != model.config.n_vocab:
        raise GPT1VizError("save_vocab", found=tokenizer.n_vocab, wanted=model.config.n_vocab)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` if all goes well and vanishes if not."""
    try:
        folder = _restored(expanded(folder).resolve())
        holds = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        if holds - WRITTEN or (folder.exists() and not folder.is_dir()):
            raise GPT1VizError("save_other_files", path=folder)
    except (OSError, RuntimeError) as fault:  # too long a name, a folder that may not be read, links in a circle
        raise GPT1VizError("save_failed", path=folder, fault=getattr(fault, "strerror", None) or fault) from fault
    mark = secrets.token_hex(4)
    beside, old = (folder.with_name(f".{folder.name}.{kind}-{mark}") for kind in ("new", "old"))
    try:
        beside.mkdir(parents=True)
        yield beside
        if folder.exists():
            folder.rename(old)
        beside.rename(folder)
    except (OSError, SafetensorError) as fault:
        raise GPT1VizError("save_failed", path=folder, fault=getattr(fault, "strerror", None) or fault) from fault
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _restored(folder: Path) -> Path:
    """A folder; where a process was killed between the two renames of `_beside`, its old checkpoint is put back."""
    with suppress(OSError, ValueError):  # a name that no folder can have
        if not os.path.exists(folder):
            for old in folder.parent.glob(f".{escape(folder.name)}.old-*"):
                old.rename(folder)
    return folder


def _write(folder: Path, tensors: dict[str, Tensor], config: dict, tokenizer, dtype: torch.dtype | None) -> None:
    tensors = {name: tensor.detach().cpu().to(dtype or tensor.dtype).contiguous() for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise GPT1VizError("save_not_finite", name=name)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write_json(folder / "config.json", config)
    tokenizer.save(folder / "tokenizer.json")


def _write_json(path: Path, values: dict) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
