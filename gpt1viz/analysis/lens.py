"""The logit lens: what the model would predict if decoding stopped at an earlier layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..linear import linear
from ..model import GPT1
from ..trace import NO_EDITS, Edits, Trace

EMBEDDING, ATTENTION, MLP = "embedding", "attention", "mlp"  # after which part decoding stops


@dataclass(frozen=True)
class Lens:
    """Predictions of the next token read off at R = 2L + 1 places: the embedding, then two in every block.

    Attributes:
        stages: R pairs (layer, part): (-1, "embedding"), (0, "attention"), (0, "mlp"), (1, "attention") ...
        positions: (P,) the positions read.
        ids, probability: (R, P, K) the K most probable tokens after each position, most probable first.
        entropy: (R, P) bits.
        final: (P,) the token that the whole model finds most probable.
        of_final: (R, P) the probability of `final` at each place.
    """

    stages: tuple[tuple[int, str], ...]
    positions: np.ndarray
    ids: np.ndarray
    probability: np.ndarray
    entropy: np.ndarray
    final: np.ndarray
    of_final: np.ndarray


@torch.inference_mode()
def lens(
    model: GPT1,
    ids: np.ndarray,
    *,
    positions: Sequence[int] | None = None,
    top_k: int = 5,
    edits: Edits | None = None,
    progress: Callable[[float], object] | None = None,
) -> Lens:
    """Decode the residual stream wherever it can be read, as if the blocks above were not there.

        post-LN: softmax(x W_e^T), x the embedding, ln_1 (between attention and MLP) or out
        pre-LN:  softmax(ln_f(x) W_e^T), x the embedding, resid_mid or out

    At the last place this is the model's own output. Anywhere else it assumes that a middle layer already speaks the
    output's language. In pre-LN the blocks only add to one stream, so what is missing is a sum. In post-LN, GPT-1,
    every block normalises that stream anew, ln_1 and ln_2 with gains of their own, and the embedding has passed no
    LayerNorm at all: the reading is approximate, and how sharp it is at different depths does not compare.

    Args:
        model: any GPT1.
        ids: (T,) the tokens read.
        positions: which positions to decode; None is all.
        top_k: K, how many tokens to name.
        edits: changes the pass.
        progress: is told the share done, 0 to 1, after each place; what it raises ends the work.

    Raises:
        GPT1VizError: no tokens, too many, or edits that do not fit.

    Source: nostalgebraist, "interpreting GPT: the logit lens", 2020; carried over here to post-LN.
    """
    read = np.arange(len(ids)) if positions is None else np.asarray(positions)  # (P,)
    middle = "ln_1" if model.config.norm == "post" else "resid_mid"
    trace = Trace(fields={"resid_in", middle, "out"})
    model(torch.from_numpy(np.asarray(ids))[None].to(model.device), trace=trace, edits=edits)
    out = trace.blocks[-1].out
    assert out is not None
    last = (edits or NO_EDITS).stream(out, len(trace.blocks))  # (1, T, C)
    handed_on = [*(block.resid_in for block in trace.blocks), last]  # L + 1 of (1, T, C)
    streams = [((-1, EMBEDDING), handed_on[0])]
    for layer, block in enumerate(trace.blocks):
        streams += [((layer, ATTENTION), getattr(block, middle)), ((layer, MLP), handed_on[layer + 1])]

    final = decode(model, last[0, read]).argmax(-1)  # (P,)
    k = min(top_k, model.config.n_vocab)
    rows = []
    for done, (_, stream) in enumerate(streams, 1):
        log_p = decode(model, stream[0, read]).log_softmax(-1)  # (P, V)
        p, best = log_p.exp().topk(k)  # (P, K)
        entropy = -(log_p.exp() * log_p).sum(-1) / np.log(2.0)  # (P,) bits
        rows.append((best, p, entropy, log_p.gather(1, final[:, None])[:, 0].exp()))
        if progress is not None:
            progress(done / len(streams))
    best, p, entropy, of_final = (torch.stack(column).cpu().numpy() for column in zip(*rows, strict=True))
    stages = tuple(stage for stage, _ in streams)
    return Lens(stages, read, best, p, entropy, final.cpu().numpy(), of_final)


def decode(model: GPT1, x: Tensor) -> Tensor:
    """Logits (..., V) of the text's tokens for residual vectors (..., C): ln_f if there is one, then the token rows."""
    rows = model.tokens_embed.weight[: model.config.n_vocab]  # (V, C)
    return linear(model.ln_f(x), rows).float()
