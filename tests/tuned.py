"""A tiny base model and tiny fine-tuned ones on disk, for tests of the pages of tasks."""

from pathlib import Path

import torch

import gpt1viz
from gpt1viz.model import TaskHead

LABELS = {"entailment": ("entailment", "neutral", "contradiction"), "choice": (), "token": ("other", "person", "place")}


def base(folder: Path, **changes) -> Path:
    """The bundled vocabulary on 2 layers."""
    tokenizer = gpt1viz.load("storybook").tokenizer
    torch.manual_seed(0)
    shape = {"n_ctx": 64, "n_embd": 24, "n_layer": 2, "n_head": 3} | changes
    config = gpt1viz.GPT1Config(n_vocab=tokenizer.n_vocab, **shape)
    return gpt1viz.save(gpt1viz.GPT1(config), folder / "base", tokenizer)


def tuned(folder: Path, kind: str, labels: tuple[str, ...] | None = None) -> Path:
    """A model with the three special rows and a head whose classes differ clearly."""
    tokenizer = gpt1viz.load("storybook").tokenizer
    torch.manual_seed(1)
    config = gpt1viz.GPT1Config(n_vocab=tokenizer.n_vocab, n_special=3, n_ctx=48, n_embd=24, n_layer=1, n_head=1)
    head = TaskHead(kind, 24, LABELS[kind] if labels is None else labels)
    torch.nn.init.normal_(head.clf.weight)
    return gpt1viz.save(gpt1viz.GPT1(config), folder / f"tuned-{kind}", tokenizer, task=head)
