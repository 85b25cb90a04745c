"""What one attention head adds to the residual stream, and what its removal does."""

from dataclasses import dataclass

import numpy as np
import torch

from ..model import GPT1, Block
from ..trace import Edits


@dataclass(frozen=True)
class HeadOutput:
    """One head's share of the attention sub-layer's output at one position.

    Attributes:
        vector: (C,) what the head adds, its columns of the output projection applied; the shared bias is not its own.
        norm: length of `vector`.
        layer_norm: length of all heads' outputs together, bias included.
        raised, lowered: (K,) ids of the tokens whose embedding rows point most with, and most against, `vector`.
        raised_by, lowered_by: (K,) the dot products. Reading a middle layer with the output embeddings is approximate
            under post-LN: two LayerNorms and all later blocks stand between.
    """

    vector: np.ndarray
    norm: float
    layer_norm: float
    raised: np.ndarray
    raised_by: np.ndarray
    lowered: np.ndarray
    lowered_by: np.ndarray


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
    dots = model.tokens_embed.weight[: model.config.n_vocab] @ vector  # (V,)
    k = min(top_k, len(dots))
    raised, lowered = dots.topk(k), (-dots).topk(k)
    return HeadOutput(
        vector=vector.cpu().numpy(),
        norm=float(vector.norm()),
        layer_norm=float(together.norm()),
        raised=raised.indices.cpu().numpy(),
        raised_by=raised.values.cpu().numpy(),
        lowered=lowered.indices.cpu().numpy(),
        lowered_by=-lowered.values.cpu().numpy(),
    )


@torch.inference_mode()
def without_head(
    model: GPT1, ids: np.ndarray, layer: int, head: int, position: int, *, causal: bool = True
) -> np.ndarray:
    """Probabilities (V,) of the token after `position` when one head is switched off: measured, not estimated.

    Args:
        model: any GPT1.
        ids: (T,) the tokens read.
        layer, head, position: counted from 0.
        causal: False lifts the mask.
    """
    hidden = causal and model.config.causal  # whether a mask hides what follows: it then changes nothing
    read = ids[: position + 1] if hidden else ids  # (T,)
    batch = torch.from_numpy(read[None]).to(model.device)
    logits = model(batch, edits=Edits(heads={(layer, head): 0.0}, causal=hidden)).logits[
        0, position, : model.config.n_vocab
    ]
    return logits.softmax(dim=-1).cpu().numpy()
