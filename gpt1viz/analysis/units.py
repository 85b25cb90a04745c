"""The hidden units of one MLP: which are active, what drives them, which tokens they push."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ..model import GPT1, Block, causal_mask
from ..trace import NO_EDITS, BlockTrace
from .contributions import Walk
from .head_output import Pushed, pushed

CHUNK = 512  # vocabulary entries run at once


class Units(NamedTuple):
    """Units of an MLP at one position: their numbers (K,), activations (K,), and the lengths of what each adds (K,)."""

    units: np.ndarray
    activations: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class Drivers:
    """The pre-activation of one unit at one position as a sum, exact up to rounding.

    The LayerNorm before the MLP subtracts a mean, which is linear, and divides by a standard deviation, which is not:
    here it is the number that was measured. So each part says what it puts into this sum, not by how much the sum would
    change without it.

    Attributes:
        own: from the residual stream of the position itself, as it entered the block.
        sources: (H, S) from each position through each head's attention, as its value says it.
        bias: from the biases of attention's projection, LayerNorm and MLP: the same in every text, but for the
            standard deviation.
        total: their sum, the pre-activation.
    """

    own: float
    sources: np.ndarray
    bias: float
    total: float


@dataclass(frozen=True)
class Entries:
    """For each unit of a layer the vocabulary entries that activate it most: ids (F, K) and activations (F, K)."""

    ids: np.ndarray
    activations: np.ndarray


def _block(model: GPT1, layer: int) -> Block:
    block = model.h[layer]
    assert isinstance(block, Block)
    return block


@torch.inference_mode()
def active_units(model: GPT1, walked: Walk, layer: int, position: int, top_k: int = 8) -> Units:
    """The units that add the longest vectors at a position: |activation| times the length of the unit's output row.

    Args:
        walked: `walk(model, ids, layer)`.
        position: of the T tokens read.
        top_k: K, how many.
    """
    rows = _block(model, layer).mlp.c_proj.weight.norm(dim=0).cpu().numpy()  # (F,)
    lengths = np.abs(walked.mlp_hidden[position]) * rows  # (F,)
    units = np.argsort(-lengths, kind="stable")[:top_k]
    return Units(units, walked.mlp_hidden[position, units], lengths[units])


@torch.inference_mode()
def drivers(model: GPT1, walked: Walk, layer: int, unit: int, position: int) -> Drivers:
    """What a unit's pre-activation at one position adds up from.

        pre = w . (g * (x - mean(x)) / std(x) + b) + c,   x = resid_in + attn_out
            = d . x / std(x) + w . b + c,                 d = w * g - mean(w * g)

    with w, c the unit's input row and bias, and g, b the gains and biases of the LayerNorm before the MLP.

    Args:
        walked: `walk(model, ids, layer)`.
        unit: from 0 to below F.
        position: of the T tokens read.
    """
    block = _block(model, layer)
    norm = block.ln_1 if model.config.norm == "post" else block.ln_2
    row, gain, shift = (x.double() for x in (block.mlp.c_fc.weight[unit], norm.weight, norm.bias))  # (C,)
    x = torch.from_numpy(walked.resid_mid[position]).double().to(model.device)  # (C,)
    direction = row * gain - (row * gain).mean()  # (C,)
    direction = direction / (x.var(correction=0) + norm.eps).sqrt()
    projection = block.attn.c_proj
    by_head = (projection.weight.double().T @ direction).unflatten(0, (model.config.n_head, -1))  # (H, D)
    weights, v = (torch.from_numpy(x).double().to(model.device) for x in (walked.weights[:, position], walked.v))
    sources = weights * torch.einsum("hsd,hd->hs", v, by_head)  # (H, S)
    own = direction @ torch.from_numpy(walked.resid_in[position]).double().to(model.device)
    bias = direction @ projection.bias.double() + row @ shift + block.mlp.c_fc.bias[unit].double()
    total = own + sources.sum() + bias
    return Drivers(float(own), sources.cpu().numpy(), float(bias), float(total))


@torch.inference_mode()
def pushed_tokens(model: GPT1, layer: int, unit: int, top_k: int = 5) -> Pushed:
    """The tokens that a unit pushes: its output row, one activation strong, against the rows of the vocabulary.

    Reading a middle layer with the output embeddings is approximate: under post-LN a LayerNorm and all later blocks
    stand between, under pre-LN the later blocks and the final LayerNorm.

    Args:
        unit: from 0 to below F.
        top_k: K, how many on each side.
    """
    return pushed(model, _block(model, layer).mlp.c_proj.weight[:, unit], top_k)


@torch.inference_mode()
def driving_entries(
    model: GPT1, layer: int, top_k: int = 8, progress: Callable[[float], object] | None = None
) -> Entries:
    """Every vocabulary entry alone, as a text of one token: which activate each unit of a layer most. Measured.

    Each stands at position 0 and sees only itself, so that a unit that answers to pairs of words shows little here.

    Args:
        top_k: entries to keep of each unit.
        progress: told the share that is done after each CHUNK entries; what it raises ends the work.
    """
    token_rows, position_rows = model.embedding_matrices()
    n, width = model.config.n_vocab, 4 * model.config.n_embd
    mask = causal_mask(1, 1, model.device)
    best = torch.full((width, 0), torch.nan, device=model.device)  # (F, K)
    ids = best.long()  # (F, K)
    for start in range(0, n, CHUNK):
        chunk = torch.arange(start, min(start + CHUNK, n), device=model.device)  # (B,)
        x = (token_rows[chunk] + position_rows[0])[:, None]  # (B, 1, C)
        record = BlockTrace(frozenset({"mlp_hidden"}))
        for at in range(layer + 1):
            x = model.h[at](x, mask, at, record if at == layer else BlockTrace(), NO_EDITS, None)
        assert record.mlp_hidden is not None
        both = torch.cat([best, record.mlp_hidden[:, 0].T], dim=1)  # (F, K + B)
        best, at = both.topk(min(top_k, both.shape[1]), dim=1)
        ids = torch.cat([ids, chunk.expand(width, -1)], dim=1).gather(1, at)
        if progress is not None:
            progress((start + len(chunk)) / n)
    return Entries(ids.cpu().numpy(), best.cpu().numpy())
