"""Why this token and not that one: the difference of two logits, taken apart into what each component adds."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..model import GPT1, Block
from ..trace import Trace
from .target import Target


@dataclass(frozen=True)
class Contrast:
    """The direct contributions to logit(A) - logit(B) after the last token. They add up to it.

    Direct: on the way through the residual stream of the last position, not by changing what a later head or MLP
    does. Layers and heads count from 0.

    Attributes:
        token, position: of the last token's row and its position's.
        heads: (L, H) of each head.
        sources: (L, H, T) of what each head takes from each position; over T they add up to `heads`.
        mlps: (L,) of each MLP, without its bias.
        biases: (L, 2) of the biases of attention's and the MLP's output projections.
        norms: (L, 2) of the shifts of ln_1 and ln_2; 0 in pre-LN, where they are not on the way.
        final: of the shift of ln_f, which only pre-LN has; else 0.
        difference: logit(A) - logit(B) as the model gives it.
    """

    token: float
    position: float
    heads: np.ndarray
    sources: np.ndarray
    mlps: np.ndarray
    biases: np.ndarray
    norms: np.ndarray
    final: float
    difference: float

    @property
    def total(self) -> float:
        """What all contributions add up to."""
        arrays = (self.heads, self.mlps, self.biases, self.norms)
        return self.token + self.position + self.final + sum(float(array.sum()) for array in arrays)


@torch.inference_mode()
def contrast(model: GPT1, ids: np.ndarray, token: int, other: int) -> Contrast:
    """Take logit(token) - logit(other) after the last of `ids` apart.

    The logits are h W_e^T with h the last position's hidden state, a sum that passed LayerNorms. Each is
    linearised at the values of this pass:

        ln(y) = g * (y - mean(y)) / s + b,    s = sqrt(var(y) + eps) kept as it is

    With s kept, ln is linear in y up to its shift b, and the mean of a sum is the sum of the means. So a direction d
    behind the LayerNorm asks of what stands before it the direction (g d - mean(g d)) / s, and the shift adds b . d.
    Going back layer by layer from d = w_A - w_B, every component's share is its output times the direction there. The
    shares add up exactly; but what s would have been without a component is not asked: these are shares of this pass,
    not what happens when a component is taken away. In post-LN the stream passes two LayerNorms a block, so an early
    component's share has been rescaled by all that follow; in pre-LN it passes the last one only.

    Args:
        model: any GPT1.
        ids: (T,) the tokens read.
        token, other: ids of A and B.

    Raises:
        GPT1VizError: no tokens or too many, ids that are not there.

    Source: Elhage et al. 2021, "A mathematical framework for transformer circuits" (direct paths); nostalgebraist and
    others' "direct logit attribution".
    """
    target, config = Target("difference", token, other), model.config
    target.check(config.n_vocab)
    fields = ("tokens", "positions", "weights", "v", "resid_mid", "mlp_out", "resid_out")
    trace = Trace(fields=fields)
    batch = torch.from_numpy(ids[None]).to(model.device)
    hidden = model(batch, trace=trace, head=lambda hidden, rows: hidden[:, -1:]).hidden[0, -1].double()  # (C,)
    rows = model.tokens_embed.weight[[token, other]].double()  # (2, C)
    d = rows[0] - rows[1]  # (C,)
    difference = float(hidden @ d)

    n_layer, post, final = config.n_layer, config.norm == "post", 0.0
    heads, sources = np.zeros((n_layer, config.n_head)), np.zeros((n_layer, config.n_head, len(ids)))
    mlps, biases, norms = np.zeros(n_layer), np.zeros((n_layer, 2)), np.zeros((n_layer, 2))
    if not post:
        assert isinstance(model.ln_f, nn.LayerNorm)
        d, final = before_norm(model.ln_f, _last(trace.blocks[-1].resid_out), d)
    for layer in reversed(range(n_layer)):
        block, recorded = model.h[layer], trace.blocks[layer]
        assert isinstance(block, Block)
        if post:
            d, norms[layer, 1] = before_norm(block.ln_2, _last(recorded.resid_out), d)
        biases[layer, 1] = float(block.mlp.c_proj.bias.double() @ d)
        mlps[layer] = float(_last(recorded.mlp_out) @ d) - biases[layer, 1]
        if post:
            d, norms[layer, 0] = before_norm(block.ln_1, _last(recorded.resid_mid), d)
        biases[layer, 0] = float(block.attn.c_proj.bias.double() @ d)
        asked = (d @ block.attn.c_proj.weight.double()).unflatten(0, (config.n_head, config.d_head))  # (H, D)
        assert recorded.v is not None and recorded.weights is not None
        values = torch.einsum("hsd,hd->hs", recorded.v[0].double(), asked)  # (H, S)
        sources[layer] = (recorded.weights[0, :, -1].double() * values).cpu().numpy()
        heads[layer] = sources[layer].sum(-1)
    token_part = float(_last(trace.tokens) @ d)
    assert trace.positions is not None
    position_part = float(trace.positions[-1].double() @ d)
    return Contrast(token_part, position_part, heads, sources, mlps, biases, norms, final, difference)


def _last(recorded: Tensor | None) -> Tensor:
    """The last position (C,) of what was recorded (1, T, C)."""
    assert recorded is not None
    return recorded[0, -1].double()


def before_norm(norm: nn.LayerNorm, y: Tensor, d: Tensor) -> tuple[Tensor, float]:
    """The direction (C,) before a LayerNorm that acts on y as d does behind it, and what the shift adds."""
    s = (y.var(correction=0) + norm.eps).sqrt()
    scaled = norm.weight.double() * d
    return (scaled - scaled.mean()) / s, float(norm.bias.double() @ d)
