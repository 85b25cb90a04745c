"""explain(): one pass over a text, as the plain arrays that figures and views draw."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch

from .errors import GPT1VizError
from .model import GPT1
from .trace import BLOCK_FIELDS, MODEL_FIELDS, Edits, Trace

RECORD = ("q", "k", "v", "weights")  # scores and heads' outputs can be derived from these


@dataclass(frozen=True)
class Explanation:
    """What the model made of a text. Arrays are numpy, without the batch dimension.

    `probability`, `surprisal`, `entropy` and `rank` at t describe the prediction OF token t, made one position
    earlier; at 0 there is none (NaN, rank 0). `next_ids` and `next_probability` at t are the K most probable tokens
    AFTER position t.

    Attributes:
        text: as typed.
        tokens: one Piece a token (tokenizer.Piece), cut to n_ctx.
        n_typed: tokens that the whole text has.
        ids: (T,) int64.
        probability: (T,) float32, 0 to 1.
        surprisal: (T,) bits, -log2 probability.
        entropy: (T,) bits.
        rank: (T,) int64, 1 is the most probable.
        next_ids, next_probability: (T, K).
        logits: (V,) float32 of the token after the last.
        trace: recorded arrays by field name; those of blocks are stacked, (L, ...).
        scale: factor on q k^T, 1/sqrt(D) or 1.
    """

    text: str
    tokens: list
    n_typed: int
    ids: np.ndarray
    probability: np.ndarray
    surprisal: np.ndarray
    entropy: np.ndarray
    rank: np.ndarray
    next_ids: np.ndarray
    next_probability: np.ndarray
    logits: np.ndarray
    trace: dict[str, np.ndarray]
    scale: float

    @property
    def weights(self) -> np.ndarray:
        """Attention weights (L, H, T, S)."""
        return self.field("weights")

    @property
    def causal(self) -> bool:
        """Whether a mask hid the tokens to come."""
        return "mask" in self.trace

    def field(self, name: str) -> np.ndarray:
        """A recorded array.

        Raises:
            GPT1VizError: it was not recorded.
        """
        if name not in self.trace:
            raise GPT1VizError("explain_missing", name=name)
        return self.trace[name]

    def products(self, layer: int, head: int) -> np.ndarray:
        """q k^T of one head before the scale, (T, S)."""
        return self.field("q")[layer, head] @ self.field("k")[layer, head].T

    def scores(self, layer: int, head: int) -> np.ndarray:
        """q k^T / sqrt(D) of one head before the mask, (T, S)."""
        return self.products(layer, head) * np.float32(self.scale)


def explain(
    model: GPT1,
    tokenizer,
    text: str,
    *,
    record: Collection[str] = RECORD,
    edits: Edits | None = None,
    top_k: int = 10,
) -> Explanation:
    """Run the model once over `text` and gather what there is to see.

    Args:
        model: as `load` gives it.
        tokenizer: the model's own.
        text: any text; what passes n_ctx tokens is cut off, `n_typed` says how much there was.
        record: fields of Trace and BlockTrace to keep; the mask is kept in any case.
        edits: changes this pass.
        top_k: how many next tokens to keep at each position.

    Raises:
        GPT1VizError: no tokens in the text, an unknown field, edits that do not fit.
    """
    pieces = tokenizer.tokenize(text)
    if not pieces:
        raise GPT1VizError("no_tokens")
    tokens = pieces[: model.config.n_ctx]
    ids = torch.tensor([p.id for p in tokens])  # (T,)
    trace = Trace(fields={*record, "mask"})
    with torch.inference_mode():
        output = model(ids[None].to(model.device), trace=trace, edits=edits)
        logits = output.logits[0, :, : model.config.n_vocab].float()  # (T, V); special rows are no text
        numbers = _predictions(logits, ids.to(logits.device), min(top_k, logits.shape[1]))
    return Explanation(
        text=text,
        tokens=tokens,
        n_typed=len(pieces),
        ids=ids.numpy(),
        **{name: tensor.cpu().numpy() for name, tensor in numbers.items()},
        logits=logits[-1].cpu().numpy(),
        trace=_arrays(trace),
        scale=model.config.d_head**-0.5 if model.config.scale_attn else 1.0,
    )


def _predictions(logits, ids, k: int) -> dict[str, torch.Tensor]:
    log_p = logits.log_softmax(dim=-1)  # (T, V)
    p = log_p.exp()
    own = log_p[:-1].gather(1, ids[1:, None])  # (T-1, 1)
    none = log_p.new_full((1,), torch.nan)
    next_p, next_ids = p.topk(k, dim=-1)  # (T, K)
    nats_to_bits = 1 / np.log(2.0)
    return {
        "probability": torch.cat([none, own[:, 0].exp()]),
        "surprisal": torch.cat([none, -own[:, 0] * nats_to_bits]),
        "entropy": torch.cat([none, -(p * log_p)[:-1].sum(-1) * nats_to_bits]),
        "rank": torch.cat([ids.new_zeros(1), (log_p[:-1] > own).sum(-1) + 1]),
        "next_ids": next_ids,
        "next_probability": next_p,
    }


def _arrays(trace: Trace) -> dict[str, np.ndarray]:
    arrays = {}
    for name in MODEL_FIELDS:
        if (tensor := getattr(trace, name)) is not None:
            tensor = tensor if name in ("mask", "positions") else tensor[0]
            arrays[name] = tensor.cpu().numpy()
    for name in BLOCK_FIELDS:
        tensors = [getattr(block, name) for block in trace.blocks]
        if tensors and tensors[0] is not None:
            arrays[name] = torch.stack([tensor[0] for tensor in tensors]).cpu().numpy()
    return arrays
