"""How well a model predicts a text: loss, perplexity, bits a character."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F

from ..model import GPT1
from .losses import token_loss
from .progress import Bar


class Text(Protocol):
    """An encoded text, e.g. `gpt1viz.data.corpus.Corpus`."""

    @property
    def ids(self) -> np.ndarray:
        """(N,) tokens, all documents one after the other."""
        ...

    @property
    def starts(self) -> np.ndarray:
        """(documents + 1,) where each begins, and N."""
        ...

    @property
    def n_characters(self) -> int:
        """Of the cleaned text."""
        ...

    @property
    def digest(self) -> str:
        """Names the content."""
        ...


@torch.no_grad()
def glance(model: GPT1, text: Text, n_windows: int = 64, batch_size: int = 16) -> dict[str, float]:
    """An estimate on windows spread evenly over the text, the same ones each time.

    Returns:
        "loss" (nats a token), "perplexity", "bits_per_character".
    """
    n_ctx = min(model.config.n_ctx, len(text.ids) - 1)
    starts = np.unique(np.linspace(0, len(text.ids) - n_ctx - 1, n_windows).astype(np.int64))
    rows = torch.from_numpy(np.stack([text.ids[start : start + n_ctx + 1] for start in starts]).astype(np.int64))
    parts = rows.to(model.device).split(batch_size)
    loss = sum(token_loss(model, part).item() * len(part) for part in parts) / len(rows)
    return _numbers(loss, text)


@torch.no_grad()
def score(model: GPT1, text: Text, stride: int | None = None, batch_size: int = 16) -> dict[str, float]:
    """Every token of the text, each predicted from at least n_ctx - stride tokens before it in its document.

    The first token of a document, which has nothing before it, counts as one of V equally likely ones. A newline token
    stands behind every paragraph, so its bits are in the sum as its character is among the characters.

    Args:
        stride: new tokens a window; by default n_ctx, windows side by side. Fewer give each token more to go by, and so
            fewer bits, in more time.

    Returns:
        "loss" (nats a token), "perplexity", "bits_per_character" (bits of all tokens over all characters).
    """
    n_ctx = model.config.n_ctx
    windows = list(_windows(text.starts, n_ctx, stride or n_ctx))
    total = (len(text.starts) - 1) * math.log(model.config.n_vocab)
    bar = Bar("")
    for done in range(0, len(windows), batch_size):
        total += _nats(model, text.ids, windows[done : done + batch_size])
        bar.show(min(1.0, (done + batch_size) / len(windows)))
    bar.close()
    return _numbers(total / len(text.ids), text)


def _windows(starts: np.ndarray, n_ctx: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, first): a window reads tokens start to stop - 1 and predicts first to stop."""
    for begin, end in pairwise(starts.tolist()):
        stop, first = min(begin + n_ctx, end - 1), begin + 1
        while first < end:
            yield max(begin, stop - n_ctx), stop, first
            first, stop = stop + 1, min(stop + stride, end - 1)


def _nats(model: GPT1, ids: np.ndarray, windows: list[tuple[int, int, int]]) -> float:
    """Sum of -log P over what counts in these windows; shorter ones are padded behind, where nothing looks."""
    longest = max(stop - start for start, stop, _ in windows)
    rows = torch.zeros(len(windows), longest + 1, dtype=torch.long)
    targets = torch.full((len(windows), longest), -100)  # not counted
    for row, target, (start, stop, first) in zip(rows, targets, windows, strict=True):
        row[: stop - start + 1] = torch.from_numpy(ids[start : stop + 1].astype(np.int64))
        target[first - start - 1 : stop - start] = row[first - start : stop - start + 1]
    logits = model(rows[:, :-1].to(model.device)).logits  # (B, T, V)
    loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten().to(model.device), reduction="sum")
    return loss.item()


def _numbers(loss: float, text: Text) -> dict[str, float]:
    bits = loss / math.log(2) * len(text.ids) / text.n_characters
    return {"loss": loss, "perplexity": math.exp(min(loss, 700.0)), "bits_per_character": bits}
