"""What the loss of a broken model hides: the loss as it must be used, whether order matters, how sharp attention is.

All losses are -log P in nats a token. A model trained without the mask reads the token that it should predict; only a
loss from left to right, or at the end of a text, can be compared with that of another model.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..linear import last_position
from ..model import GPT1
from ..trace import Edits, Trace

AT_A_TIME = 32  # windows in a batch


class Measured(NamedTuple):
    """Losses of a model on N windows of a text, and its attention.

    Attributes:
        own: (N,) mean over a window's tokens, with the model's own mask or none, as in training.
        left_to_right: (N,) the same with the mask put on: what the model has to do to write.
        end: (N,) of the token behind a window, of which the model sees all and nothing behind it.
        shuffled: (N,) the same with all tokens of the window but the last in another order.
        spread: (L, H) mean number of tokens over which a query spreads its weight: 2 to the entropy in bits.
        ahead: (L, H) mean weight on the token behind the query, the one to be guessed.
    """

    own: np.ndarray
    left_to_right: np.ndarray
    end: np.ndarray
    shuffled: np.ndarray
    spread: np.ndarray
    ahead: np.ndarray


def measure(model: GPT1, ids: Sequence[int] | np.ndarray, n_windows: int = 256, seed: int = 0) -> Measured:
    """All of it.

    Args:
        model: in eval mode.
        ids: (M,) a text, longer than one window of n_ctx tokens.
        seed: of the orders.
    """
    rows = windows(ids, model.config.n_ctx, n_windows)
    own = token_losses(model, rows)  # (N, T)
    masked = own if model.config.causal else token_losses(model, rows, Edits(causal=True))
    spread, ahead = attention(model, rows[:AT_A_TIME, :-1])
    return Measured(
        own=own.mean(1),
        left_to_right=masked.mean(1),
        end=own[:, -1],
        shuffled=end_losses(model, shuffled(rows, seed)),
        spread=spread,
        ahead=ahead,
    )


def windows(ids: Sequence[int] | np.ndarray, n_ctx: int, n_windows: int) -> np.ndarray:
    """(N, n_ctx + 1) stretches of a text, spread evenly over it: what is read, and the token behind it.

    Fewer where the text has no more different ones.
    """
    ids = np.asarray(ids)
    starts = np.unique(np.linspace(0, len(ids) - n_ctx - 1, n_windows).astype(np.int64))
    return np.stack([ids[start : start + n_ctx + 1] for start in starts]).astype(np.int64)


@torch.inference_mode()
def token_losses(model: GPT1, rows: np.ndarray, edits: Edits | None = None) -> np.ndarray:
    """-log P of the tokens 1 to T of each row, (N, T); rows (N, T + 1)."""
    found = []
    for ids in _parts(model, rows):
        logits = model(ids[:, :-1], edits=edits).logits.float()  # (B, T, V)
        found.append(F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none"))
    return torch.cat(found).cpu().numpy()


@torch.inference_mode()
def end_losses(model: GPT1, rows: np.ndarray) -> np.ndarray:
    """-log P of each row's last token given all before it, (N,); rows (N, T + 1)."""
    found = []
    for ids in _parts(model, rows):
        logits = model(ids[:, :-1], head=last_position).logits[:, 0].float()  # (B, V)
        found.append(F.cross_entropy(logits, ids[:, -1], reduction="none"))
    return torch.cat(found).cpu().numpy()


def shuffled(rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Rows (N, T + 1) whose tokens 0 to T - 2 are in another order; the last one read and the one behind it stay."""
    mixed = rows.copy()
    mixed[:, :-2] = np.random.default_rng(seed).permuted(rows[:, :-2], axis=1)
    return mixed


@torch.inference_mode()
def attention(model: GPT1, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How the heads look at rows (N, T), means over all queries.

    Returns:
        (spread (L, H): tokens over which a query spreads its weight, 2^H of its weights, H their entropy in bits: 1 is
        a single token, T is the most;
        ahead (L, H): weight on the token right behind the query, the one that is to be guessed; 0 with a mask).
    """
    spread, ahead = np.zeros((2, model.config.n_layer, model.config.n_head))
    for ids in _parts(model, rows):
        trace = Trace(fields=("weights",))
        model(ids, trace=trace)
        weights = torch.stack([block.weights for block in trace.blocks if block.weights is not None])  # (L, B, H, T, T)
        entropy = torch.special.entr(weights.double()).sum(-1) / np.log(2)  # (L, B, H, T)
        spread += torch.exp2(entropy).mean(-1).sum(1).cpu().numpy()
        ahead += weights.diagonal(1, -2, -1).mean(-1).sum(1).cpu().numpy()
    return spread / len(rows), ahead / len(rows)


def _parts(model: GPT1, rows: np.ndarray) -> tuple[Tensor, ...]:
    return torch.from_numpy(rows).to(model.device).split(AT_A_TIME)
