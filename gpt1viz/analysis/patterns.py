"""What attention heads look at, in four plain patterns, and which heads of a model show each."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from ..model import GPT1
from ..trace import Edits, Trace

PATTERNS = ("previous", "first", "same", "induction")
AT_LEAST = 0.25  # a head that puts a quarter of its weight where a pattern says shows it


class Found(NamedTuple):
    """A head that shows a pattern, and the share of its weight that goes there."""

    layer: int
    head: int
    score: float


def pattern_keys(ids: np.ndarray) -> dict[str, np.ndarray]:
    """Which keys (columns) fit each pattern for each query (rows): booleans (T, S) by name.

    - previous: the token just before.
    - first: the first token. Both only from the third token on: before, the two are one, or there is none.
    - same: every earlier token with the same id.
    - induction: every token, before the query's own place, that came after an earlier token with the query's id; in
      "A B ... A" the second A looks at B.

    Args:
        ids: (T,) the tokens read.

    Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021, and Olsson et al., "In-context
    Learning and Induction Heads", 2022.
    """
    ids, n = np.asarray(ids), len(ids)
    third = np.arange(n)[:, None] >= 2  # (T, 1)
    same = np.tril(ids[:, None] == ids, -1)  # (T, S)
    after = np.zeros_like(same)
    after[:, 1:] = same[:, :-1]
    return {
        "previous": np.eye(n, k=-1, dtype=bool) & third,
        "first": (np.arange(n) == 0) & third,
        "same": same,
        "induction": np.tril(after, -1),
    }


def pattern_scores(weights: np.ndarray, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The share of a head's weight that goes where each pattern says, 0 to 1.

    The mean over the queries that have a key to fit of sum_s weight[t, s] over those keys; NaN where no query has one,
    as in a text without a repeated token. Patterns overlap: a key may be the previous token and fit induction too.

    Args:
        weights: (..., T, S) attention weights, rows adding up to 1; `Explanation.weights` is (L, H, T, S).
        ids: (T,) the tokens read.

    Returns:
        (...) by name of pattern.
    """
    scores = {}
    for name, keys in pattern_keys(ids).items():
        queries = keys.any(1)  # (T,)
        there = np.einsum("...ts,ts->...t", weights, keys.astype(np.float32))[..., queries]  # (..., Q)
        scores[name] = there.mean(-1) if queries.any() else np.full(there.shape[:-1], np.nan)
    return scores


def chance(ids: np.ndarray, *, causal: bool = True) -> dict[str, float]:
    """The scores of a head that spreads its weight evenly over all that it may see: what any other is held against.

    Args:
        ids: (T,) the tokens read.
        causal: whether a query sees only itself and what came before.
    """
    seen = np.tril(np.ones((len(ids), len(ids)))) if causal else np.ones((len(ids), len(ids)))  # (T, S)
    return {name: float(score) for name, score in pattern_scores(seen / seen.sum(1, keepdims=True), ids).items()}


def showing(
    scores: Mapping[str, np.ndarray], by_chance: Mapping[str, float], at_least: float = AT_LEAST
) -> dict[str, list[Found]]:
    """The heads that show each pattern, the strongest first.

    Args:
        scores: (L, H) by name, of `pattern_scores`.
        by_chance: of `chance`, for the same text.
        at_least: the score from which a head counts; twice what chance gives, where that is more.
    """
    found = {}
    for name, values in scores.items():
        bar = max(at_least, 2 * by_chance[name])
        places = zip(*np.nonzero(values >= bar), strict=True)  # NaN is not
        heads = [Found(int(layer), int(head), float(values[layer, head])) for layer, head in places]
        found[name] = sorted(heads, key=lambda head: -head.score)
    return found


@torch.inference_mode()
def pattern_heads(
    model: GPT1, ids: np.ndarray, *, at_least: float = AT_LEAST, edits: Edits | None = None
) -> dict[str, list[Found]]:
    """The heads of a model that show each pattern on a text, the strongest first.

    Args:
        model: any GPT1.
        ids: (T,) the tokens read.
        at_least: as `showing` takes it.
        edits: changes the pass.

    Raises:
        GPT1VizError: no tokens, too many, or edits that do not fit.
    """
    trace = Trace(fields={"weights", "mask"})
    model(torch.from_numpy(np.asarray(ids))[None].to(model.device), trace=trace, edits=edits)
    matrices = [block.weights for block in trace.blocks if block.weights is not None]  # L of (1, H, T, S)
    weights = torch.cat(matrices).float().cpu().numpy()  # (L, H, T, S)
    causal = trace.mask is not None
    return showing(pattern_scores(weights, ids), chance(ids, causal=causal), at_least)
