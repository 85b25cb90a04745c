"""Heads switched off: what the next token becomes, and which heads it rests on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import GPT1VizError
from ..linear import linear
from ..model import GPT1, Block, causal_mask
from ..trace import NO_EDITS, BlockTrace, Edits, Trace
from .lens import decode


@dataclass(frozen=True)
class HeadEffects:
    """What switching off each head by itself does to the token after one position.

    Attributes:
        position: where the next token is predicted.
        target: the token whose probability is followed.
        before: its probability in the untouched model.
        change: (L, H) bits, log2 of `target`'s probability without the head minus with it. Negative: the head
            supports this token.
        divergence: (L, H) bits, KL(with || without) over the whole vocabulary: how far the prediction moves at all.
    """

    position: int
    target: int
    before: float
    change: np.ndarray
    divergence: np.ndarray

    def ranked(self, by: str = "change") -> list[tuple[int, int]]:
        """(layer, head), the largest |change| first, or by "divergence"."""
        order = np.argsort(-np.abs(getattr(self, by)), axis=None, kind="stable")
        layers, heads = np.unravel_index(order, self.change.shape)
        return [(int(layer), int(head)) for layer, head in zip(layers, heads, strict=True)]


def heads_off(heads: Iterable[tuple[int, int]]) -> Edits:
    """Edits that switch these (layer, head) off: their outputs count as zero at every position."""
    return Edits(heads=dict.fromkeys(heads, 0.0))


@torch.inference_mode()
def next_probabilities(
    model: GPT1, ids: np.ndarray, position: int | None = None, edits: Edits | None = None
) -> np.ndarray:
    """Probabilities (V,) of the token after `position` (the last by default), with edits or without.

    Args:
        model: any GPT1.
        ids: (T,) the tokens read.
        position: counted from 0.
        edits: changes the pass, as `heads_off` makes them.

    Raises:
        GPT1VizError: no such position, or edits that do not fit.
    """
    position = _checked(position, len(ids))
    config, batch = model.config, torch.from_numpy(np.asarray(ids))[None].to(model.device)
    here = slice(position, position + 1)
    # Special rows are no text.
    logits = model(batch, edits=edits, head=lambda hidden, rows: linear(hidden[:, here], rows[: config.n_vocab])).logits
    return logits[0, 0].float().softmax(-1).cpu().numpy()  # (V,)


@torch.inference_mode()
def head_effects(
    model: GPT1,
    ids: np.ndarray,
    position: int | None = None,
    *,
    target: int | None = None,
    progress: Callable[[float], object] | None = None,
) -> HeadEffects:
    """Every head switched off in turn, measured, not estimated.

    A head changes nothing below its own layer, so the untouched stream is taken up there, and the H variants of a layer
    run through the blocks above as one batch. Behind a causal mask nothing after `position` is read at all.

    Args:
        model: any GPT1.
        ids: (T,) the tokens read.
        position: where the next token is predicted; None is the last.
        target: the token to follow; None is the one that the untouched model finds most probable.
        progress: is told the share done, 0 to 1, after each block; what it raises ends the work.

    Raises:
        GPT1VizError: no such position, no tokens or too many.
    """
    config, position = model.config, _checked(position, len(ids))
    n = position + 1 if config.causal else len(ids)
    trace = Trace(fields={"resid_in"})
    batch = torch.from_numpy(np.asarray(ids)[:n])[None].to(model.device)
    log_p = model(batch, trace=trace).logits[0, position, : config.n_vocab].float().log_softmax(-1)  # (V,)
    target = int(log_p.argmax()) if target is None else target
    total = config.n_layer * (config.n_layer + 1) / 2
    mask = causal_mask(n, n, model.device) if config.causal else None

    done, change, divergence = 0, [], []
    for layer in range(config.n_layer):
        stream = trace.blocks[layer].resid_in
        assert stream is not None
        for above in range(layer, config.n_layer):
            block = model.h[above]
            assert isinstance(block, Block)
            if above == layer:
                off = [heads_off([(layer, head)]) for head in range(config.n_head)]
                stream = torch.cat(
                    [block(stream, mask, layer, BlockTrace(), edits, None) for edits in off]
                )  # (H, T, C)
            else:
                stream = block(stream, mask, above, BlockTrace(), NO_EDITS, None)
            done += 1
            if progress is not None:
                progress(done / total)
        without = decode(model, stream[:, position]).log_softmax(-1)  # (H, V)
        change.append((without[:, target] - log_p[target]) / np.log(2.0))
        divergence.append((log_p.exp() * (log_p - without)).sum(-1) / np.log(2.0))
    return HeadEffects(
        position=position,
        target=target,
        before=float(log_p[target].exp()),
        change=torch.stack(change).cpu().numpy(),
        divergence=torch.stack(divergence).cpu().numpy(),
    )


def _checked(position: int | None, n: int) -> int:
    position = n - 1 if position is None else position
    if not 0 <= position < n:
        raise GPT1VizError("no_such_position", position=position, n=n)
    return position
