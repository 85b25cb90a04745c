"""Activation patching: vectors of the residual stream replaced by those of a second text, one at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import GPT1VizError
from ..linear import last_position
from ..model import GPT1
from ..trace import Edits, Trace
from .target import Target, next_logits

ROWS = 1024  # positions times texts in one batch


@dataclass(frozen=True)
class Patched:
    """What each replaced vector does to the target.

    Attributes:
        positions: (P,) whose vectors were replaced.
        values: (L+1, P) the target after the vector at that position was replaced: row l where it enters block l, row
            L where it leaves the last one.
        this, other: the target on the text itself and on the second one.
    """

    positions: np.ndarray
    values: np.ndarray
    this: float
    other: float

    @property
    def effects(self) -> np.ndarray:
        """(L+1, P) change of the target, in its own unit (logits or nats)."""
        return self.values - self.this

    @property
    def shares(self) -> np.ndarray:
        """(L+1, P) change as a share of the way from this text to the second: 0 nothing, 1 all of it.

        The shares of several positions do not add up to 1. NaN where both texts have the same target.
        """
        way = self.other - self.this
        return self.effects / way if way else np.full_like(self.values, np.nan)


@torch.inference_mode()
def patch(
    model: GPT1,
    ids: np.ndarray,
    other_ids: np.ndarray,
    target: Target,
    *,
    positions: Sequence[int] | None = None,
    progress: Callable[[float], object] | None = None,
) -> Patched:
    """Replace the residual stream at each layer and position by the second text's, and measure the next token.

    Each entry is one pass over `ids` with `Edits(residual={(layer, position): vector})`. Only the blocks from the
    replaced vector on are run, many positions at once; with a mask only the positions from the first replaced one on.
    Where the two texts have the same vector nothing is run: the target stays.

    Args:
        model: any GPT1.
        ids, other_ids: (T,) tokens of the text and of the second one, equally many.
        target: measured after the last token.
        positions: whose vectors to replace; None is all.
        progress: is told the share done, 0 to 1, now and then; what it raises ends the work.

    Raises:
        GPT1VizError: texts of different lengths, no tokens or too many, a target or position that is not there.

    Source: Vig et al. 2020, "Investigating gender bias in language models using causal mediation analysis"; Meng et
    al. 2022, "Locating and editing factual associations in GPT".
    """
    if len(ids) != len(other_ids):
        raise GPT1VizError("patch_lengths", n=len(ids), other=len(other_ids))
    n_layer, n_vocab = model.config.n_layer, model.config.n_vocab
    target.check(n_vocab)
    chosen = np.arange(len(ids)) if positions is None else np.asarray(positions)  # (P,)
    for position in chosen:
        if not 0 <= position < len(ids):
            raise GPT1VizError("no_such_position", position=position, n=len(ids))
    trace = Trace(fields=("resid_in", "out", "k", "v"))
    both = torch.from_numpy(np.stack([ids, other_ids])).to(model.device)
    logits = model(both, trace=trace, head=last_position).logits[:, 0, :n_vocab]  # (2, V)
    this, other = target.of(logits).double().tolist()
    streams = _streams(trace)  # (L+1, 2, T, C)

    values = torch.full((n_layer + 1, len(ids)), this, dtype=torch.float64)
    differ = (streams[:, 0] != streams[:, 1]).any(-1)  # (L+1, T)
    differ &= torch.from_numpy(np.isin(np.arange(len(ids)), chosen)).to(differ.device)
    most = max(1, ROWS // len(ids))
    jobs = [(layer, chunk) for layer in range(n_layer + 1) for chunk in differ[layer].nonzero()[:, 0].split(most)]
    costs = [len(chunk) * (n_layer + 1 - layer) for layer, chunk in jobs]
    for n, (layer, chunk) in enumerate(jobs):
        if not len(chunk):
            continue
        first = int(chunk[0]) if model.config.causal else 0
        x = streams[layer, 0, first:].repeat(len(chunk), 1, 1)  # (B, T - first, C)
        x[torch.arange(len(chunk)), chunk - first] = streams[layer, 1, chunk]
        past = _Before(trace, first, len(chunk)) if first else None
        values[layer, chunk.cpu()] = target.of(next_logits(model, x, layer, past)).double().cpu()
        if progress is not None:
            progress(sum(costs[: n + 1]) / sum(costs))
    return Patched(chosen, values.numpy()[:, chosen], this, other)


@torch.inference_mode()
def patched_probabilities(model: GPT1, ids: np.ndarray, other_ids: np.ndarray, layer: int, position: int) -> np.ndarray:
    """Probabilities (3, V) of the token after the last: of this text, of it with one vector replaced, of the second.

    Args:
        model, ids, other_ids: as for `patch`.
        layer, position: which vector; layer L is what leaves the last block.

    Raises:
        GPT1VizError: as `patch`; no such layer.
    """
    if len(ids) != len(other_ids):
        raise GPT1VizError("patch_lengths", n=len(ids), other=len(other_ids))
    this, second = (torch.from_numpy(np.asarray(x)[None]).to(model.device) for x in (ids, other_ids))
    Edits(residual={(layer, position): model.tokens_embed.weight[0]}).check(model.config, 0, len(ids))
    trace = Trace(fields=("resid_in", "out"))
    of_second = model(second, trace=trace, head=last_position)
    edits = Edits(residual={(layer, position): _streams(trace)[layer, 0, position]})
    rows = [model(this, head=last_position), model(this, edits=edits, head=last_position), of_second]
    logits = torch.cat([row.logits[:, 0, : model.config.n_vocab] for row in rows])  # (3, V)
    return logits.float().softmax(-1).cpu().numpy()


def _streams(trace: Trace) -> Tensor:
    """The residual stream entering each block and leaving the last one, (L+1, B, T, C)."""
    streams = [*(block.resid_in for block in trace.blocks), trace.blocks[-1].out]
    return torch.stack([stream for stream in streams if stream is not None])


class _Before:
    """The text's own keys and values at the positions before the first replaced one, for a batch."""

    def __init__(self, trace: Trace, length: int, batch: int):
        self.blocks, self.length, self.batch = trace.blocks, length, batch

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        whole = (self.blocks[layer].k, self.blocks[layer].v)  # (2, H, T, D) each; the first row is the text itself
        before = [x[:1, :, : self.length].expand(self.batch, -1, -1, -1) for x in whole if x is not None]
        k, v = (torch.cat(parts, dim=2) for parts in zip(before, (k, v), strict=True))
        return k, v  # (B, H, S, D)
