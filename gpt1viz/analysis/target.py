"""What causes are measured by: a number of the next token, and a pass that begins at any layer."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import GPT1VizError
from ..model import GPT1, causal_mask
from ..trace import NO_EDITS, BlockTrace
from .lens import decode

KINDS = ("logit", "log_probability", "difference")


@dataclass(frozen=True)
class Target:
    """A number that the logits of the next token give.

    Args:
        kind: "logit" of a token, its "log_probability" in nats, or "difference": its logit less the other token's,
            which is the log of the ratio of their probabilities.
        token: id of the token.
        other: id of the other token; for "difference" only.
    """

    kind: str
    token: int
    other: int | None = None

    def check(self, n_vocab: int) -> None:
        """A target that can be asked for.

        Raises:
            GPT1VizError: an unknown kind, no second token for a difference, or a token that is not there.
        """
        if self.kind not in KINDS or (self.kind == "difference") != (self.other is not None):
            raise GPT1VizError("target_kind", kind=self.kind, allowed=", ".join(KINDS))
        for token in (self.token, self.other):
            if token is not None and not 0 <= token < n_vocab:
                raise GPT1VizError("tokenizer_id", id=token, last=n_vocab - 1)

    def of(self, logits: Tensor) -> Tensor:
        """logits (..., V) of the next token -> the number (...)."""
        if self.kind == "log_probability":
            return logits.log_softmax(dim=-1)[..., self.token]
        return logits[..., self.token] - (0 if self.other is None else logits[..., self.other])


class Past(Protocol):
    """Keys and values of earlier positions, put before a pass's own; as generate.Cache has them."""

    length: int

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of the layer, those before and the new ones (B, H, T, D)."""
        ...


def next_logits(model: GPT1, x: Tensor, layer: int = 0, past: Past | None = None) -> Tensor:
    """Logits of the token after the last position, when the blocks from `layer` on read x.

    Args:
        model: any GPT1.
        x: residual stream (B, T, C) entering block `layer`; for layer L what leaves the last block.
        layer: 0 to L.
        past: keys and values of the positions before x, if there are any.

    Returns:
        (B, V), without the rows of special tokens, which are no text.
    """
    config, n_past = model.config, 0 if past is None else past.length
    mask = causal_mask(x.shape[1], n_past + x.shape[1], x.device) if config.causal else None  # (T, S)
    for at in range(layer, config.n_layer):
        x = model.h[at](x, mask, at, BlockTrace(), NO_EDITS, past)  # (B, T, C)
    return decode(model, x[:, -1])


def embedded(model: GPT1, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Token rows (T, C) of ids (T,) and the position rows (T, C) added to them: what the first block reads.

    Raises:
        GPT1VizError: no tokens, or more than the model reads.
    """
    if not len(ids):
        raise GPT1VizError("no_tokens")
    if len(ids) > model.config.n_ctx:
        raise GPT1VizError("too_long", n=len(ids), n_ctx=model.config.n_ctx)
    tokens, positions = model.embedding_matrices()
    return torch.nn.functional.embedding(ids, tokens), positions[: len(ids)]
