"""From logits to the next token: temperature, top-k, top-p, softmax, draw, each stage kept to be looked at."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .errors import GPT1VizError


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Args:
        temperature: divides the logits; above 0. Small is cautious, large is wild.
        top_k: keep the k most probable tokens; None keeps all.
        top_p: keep the smallest set of most probable tokens whose probabilities reach p, 0 < p <= 1; None keeps all.
        greedy: take the most probable token, no draw.

    Raises:
        GPT1VizError: a value out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    greedy: bool = False

    def __post_init__(self):
        if not 0 < self.temperature <= 100:
            raise GPT1VizError("sampling_temperature", value=self.temperature)
        if self.top_k is not None and (self.top_k < 1 or self.top_k % 1):
            raise GPT1VizError("sampling_top_k", value=self.top_k)
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise GPT1VizError("sampling_top_p", value=self.top_p)


@dataclass(frozen=True)
class Distribution:
    """The next token's distribution, before and after each filter, most probable token first.

    Every field is (V,), sorted together; `keep_*` say which tokens pass the filters one after the other.
    """

    ids: Tensor
    logits: Tensor
    tempered: Tensor  # logits / temperature
    unfiltered: Tensor  # softmax(tempered)
    keep_k: Tensor  # passes top-k
    keep_p: Tensor  # passes top-k, then top-p on what top-k left
    probabilities: Tensor  # softmax over what is left; 0 elsewhere
    edges: Tensor  # token i owns the slice [edges[i-1], edges[i]) of the unit interval

    def pick(self, u: float) -> int:
        """Place, in this order, of the token whose slice contains u (0 <= u < 1)."""
        last = int(self.keep_p.nonzero()[-1])
        return min(int(torch.searchsorted(self.edges, u, right=True)), last)

    def slice(self, place: int) -> tuple[float, float]:
        """Where the token at this place begins and ends on the unit interval."""
        return (float(self.edges[place - 1]) if place else 0.0), float(self.edges[place])


def distribution(logits: Tensor, sampling: Sampling) -> Distribution:
    """Every stage between the logits (V,) of one position, float32, and the draw, in float64."""
    ids = _most_probable_first(logits)
    logits = logits.cpu()[ids].double()
    tempered = logits / sampling.temperature
    below = (logits - logits[0]) / sampling.temperature  # the same to a softmax, and finite however small T is
    unfiltered = below.softmax(dim=0)
    rank = torch.arange(len(ids), device=ids.device)
    keep_k = rank < (1 if sampling.greedy else sampling.top_k or len(ids))
    left = unfiltered if keep_k.all() else below.masked_fill(~keep_k, -torch.inf).softmax(dim=0)
    keep_p, probabilities = keep_k, left
    if sampling.top_p not in (None, 1):
        reached = left.cumsum(dim=0) - left  # probability of the tokens before this one
        keep_p = keep_k & (reached < sampling.top_p)
        probabilities = below.masked_fill(~keep_p, -torch.inf).softmax(dim=0)
    return Distribution(ids, logits, tempered, unfiltered, keep_k, keep_p, probabilities, probabilities.cumsum(dim=0))


def _most_probable_first(logits: Tensor) -> Tensor:
    """Ids by falling logit, equal ones in the vocabulary's order: a tenth of the time of torch's stable sort.

    The bits of a float32, read as an integer, sort as the float does once a negative one's are turned over; the id,
    put behind them, settles ties.
    """
    bits = (0 - logits.float()).cpu().numpy().view(np.int32)
    bits = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    keys = bits.astype(np.int64) << 32 | np.arange(len(bits))
    return torch.from_numpy(np.sort(keys) & 0xFFFFFFFF)
