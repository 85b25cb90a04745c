"""What one attention head adds to the residual stream, and the tokens that a vector points to."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..model import GPT1, Block


class Pushed(NamedTuple):
    """Tokens whose rows point most with (`raised`) and against (`lowered`) a vector: ids and dot products, (K,)."""

    raised: np.ndarray
    raised_by: np.ndarray
    lowered: np.ndarray
    lowered_by: np.ndarray


@dataclass(frozen=True)
class HeadOutput:
    """One head's share of the attention sub-layer's output at one position.

    Attributes:
        vector: (C,) what the head adds, its columns of the output projection applied; the shared bias is not its own.
        norm: length of `vector`.
        layer_norm: length of all heads' outputs together, bias included.
        pushed: the tokens that `vector` points to. Reading a middle layer with the output embeddings is approximate
            under post-LN: two LayerNorms and all later blocks stand between.
    """

    vector: np.ndarray
    norm: float
    layer_norm: float
    pushed: Pushed


def pushed(model: GPT1, vector: Tensor, top_k: int) -> Pushed:
    """The tokens that a vector (C,) of the residual stream points to, by its dot products with their rows."""
    dots = model.tokens_embed.weight[: model.config.n_vocab] @ vector  # (V,)
    k = min(top_k, len(dots))
    raised, lowered = dots.topk(k), (-dots).topk(k)
    return Pushed(*(x.cpu().numpy() for x in (raised.indices, raised.values, lowered.indices, -lowered.values)))


@torch.inference_mode()
def head_output(
    model: GPT1, weights: np.ndarray, values: np.ndarray, layer: int, head: int, top_k: int = 5
) -> HeadOutput:
    """What head `head` of block `layer` adds at one position, and which tokens' rows it points to.

    Args:
        model: the one that computed weights and values.
        weights: (H, S) the layer's attention weights at that position.
        values: (H, S, D) the layer's value vectors.
        layer, head: counted from 0.
        top_k: how many tokens to name on each side.
    """
    d = model.config.d_head
    outputs = torch.from_numpy(np.einsum("hs,hsd->hd", weights, values)).to(model.device)  # (H, D)
    block = model.h[layer]
    assert isinstance(block, Block)
    projection = block.attn.c_proj
    vector = projection.weight[:, head * d : (head + 1) * d] @ outputs[head]  # (C,)
    together = projection(outputs.flatten())  # (C,)
    return HeadOutput(
        vector=vector.cpu().numpy(),
        norm=float(vector.norm()),
        layer_norm=float(together.norm()),
        pushed=pushed(model, vector, top_k),
    )
