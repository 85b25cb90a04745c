"""What attention and MLP add to the residual stream, step by step and by layer; post-LN beside pre-LN at the start."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..config import GPT1Config
from ..errors import GPT1VizError
from ..model import GPT1, lm_loss
from ..trace import Trace

STEPS = ("resid_in", "attn_out", "resid_mid", "ln_1", "mlp_pre", "mlp_hidden", "mlp_out", "resid_out", "ln_2", "out")
NORMS = ("post", "pre")


@dataclass(frozen=True)
class Walk:
    """What one block computed from a text, named as in BlockTrace; dropout is off.

        post-LN:  resid_in + attn_out = resid_mid;  ln_1(resid_mid);  ln_1 + mlp_out = resid_out;  out = ln_2(resid_out)
        pre-LN:   ln_1(resid_in);  resid_in + attn_out = resid_mid;  ln_2(resid_mid);  out = resid_mid + mlp_out

    Attributes:
        resid_in, attn_out, resid_mid, ln_1, mlp_out, resid_out, ln_2, out: (T, C).
        mlp_pre, mlp_hidden: (T, F) before and after the activation.
        weights: (H, T, S) attention weights.
        v: (H, S, D) values.
    """

    resid_in: np.ndarray
    attn_out: np.ndarray
    resid_mid: np.ndarray
    ln_1: np.ndarray
    mlp_pre: np.ndarray
    mlp_hidden: np.ndarray
    mlp_out: np.ndarray
    resid_out: np.ndarray
    ln_2: np.ndarray
    out: np.ndarray
    weights: np.ndarray
    v: np.ndarray


@dataclass(frozen=True)
class Contributions:
    """Lengths (Euclidean norms) of vectors by layer and position, (L, T) each.

    Attributes:
        before_attention: of the residual stream that attention's output is added to.
        attention: of what attention adds.
        before_mlp: of the stream that the MLP's output is added to; in post-LN it has just been normalised.
        mlp: of what the MLP adds.
        after: of the stream that leaves the block; in post-LN it has been normalised again.
    """

    before_attention: np.ndarray
    attention: np.ndarray
    before_mlp: np.ndarray
    mlp: np.ndarray
    after: np.ndarray

    @property
    def stream(self) -> np.ndarray:
        """Mean over the positions of the stream that enters each block, and of what leaves the last, (L + 1,)."""
        return np.append(self.before_attention.mean(1), self.after[-1].mean())


@dataclass(frozen=True)
class AtStart:
    """A model before its first update: random weights, N(0, 0.02).

    Attributes:
        loss: nats a token on the text.
        stream: (L + 1,) mean length of the residual stream that enters each block, and of what leaves the last.
        gradients: (L,) length of the loss's gradient by all parameters of each block together.
    """

    loss: float
    stream: np.ndarray
    gradients: np.ndarray


@torch.inference_mode()
def walk(model: GPT1, ids: np.ndarray, layer: int) -> Walk:
    """Everything that block `layer` computes for a text.

    Args:
        ids: (T,) the tokens read.

    Raises:
        GPT1VizError: no such layer, no tokens, or more than n_ctx.
    """
    names = (*STEPS, "weights", "v")
    trace = Trace(fields=names, layers=[layer])
    model(_batch(model, ids), trace=trace)
    block = trace.blocks[layer]
    return Walk(**{name: getattr(block, name)[0].cpu().numpy() for name in names})


@torch.inference_mode()
def contributions(model: GPT1, ids: np.ndarray) -> Contributions:
    """How long the stream is before and after each addition of each block, and how long what is added.

    Lengths say how much is added, not in which direction: something as long as the stream may turn it or undo it.

    Args:
        ids: (T,) the tokens read.
    """
    between = "ln_1" if model.config.norm == "post" else "resid_mid"
    names = ("resid_in", "attn_out", between, "mlp_out", "out")
    trace = Trace(fields=names)
    model(_batch(model, ids), trace=trace)
    lengths = [
        torch.stack([getattr(block, name)[0].norm(dim=-1) for block in trace.blocks]).cpu().numpy() for name in names
    ]
    return Contributions(*lengths)


def stream_lengths(model: GPT1, ids: np.ndarray) -> np.ndarray:
    """`Contributions.stream` of a text."""
    return contributions(model, ids).stream


def at_start(config: GPT1Config, ids: np.ndarray, norm: str, seed: int = 0) -> AtStart:
    """A new model of a shape, with the LayerNorms after or before the sub-layers, on a text; dropout is off.

    Measured, not a law: Xiong et al. 2020 ("On Layer Normalization in the Transformer Architecture", section 3) find
    large gradients in post-LN's last blocks, from another initialisation. From GPT-1's own, post-LN's blocks after the
    first have equal gradients, and pre-LN's fall with the depth.

    Args:
        config: the shape; its own `norm` does not matter.
        ids: (T,) at least two tokens.
        norm: "post" or "pre".
        seed: of the weights. Both norms get the same ones.

    Raises:
        GPT1VizError: `start_too_short`, or more tokens than n_ctx.
    """
    if len(ids) < 2:
        raise GPT1VizError("start_too_short", n=len(ids))
    model = GPT1(replace(config, norm=norm)).eval()
    draws = torch.Generator().manual_seed(seed)  # its own, because other threads draw too
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.02, generator=draws)
    model.tokens_embed.requires_grad_(False)
    batch = _batch(model, ids)
    loss = lm_loss(model(batch).logits, batch).mean()
    blocks = [list(block.parameters()) for block in model.h]
    found = iter(torch.autograd.grad(loss, [p for block in blocks for p in block]))
    squares = [sum(float(next(found).double().square().sum()) for _ in block) for block in blocks]
    return AtStart(loss.item(), stream_lengths(model, ids), np.sqrt(squares))


def _batch(model: GPT1, ids: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(ids, np.int64)[None]).to(model.device)
