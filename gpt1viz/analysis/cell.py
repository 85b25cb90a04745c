"""One attention weight, taken apart into the numbers that make it."""

from dataclasses import dataclass

import numpy as np

from ..errors import GPT1VizError
from ..explain import Explanation


@dataclass(frozen=True)
class Cell:
    """How one head computes one weight: sum(q * k) -> * scale -> mask -> exp -> / sum of the row's exps.

    Attributes:
        q, k: (D,) of the query's and the key's position.
        products: (D,) q * k.
        total: their sum.
        scale: 1/sqrt(D), or 1 where the configuration leaves it out.
        score: total * scale.
        masked: whether the mask hides this key, so that the weight is 0.
        exp: exp(score); 0 where masked.
        row_sum: sum of exp over the keys this query may see.
        weight: exp / row_sum.
    """

    q: np.ndarray
    k: np.ndarray
    products: np.ndarray
    total: float
    scale: float
    score: float
    masked: bool
    exp: float
    row_sum: float
    weight: float


def cell(explanation: Explanation, layer: int, head: int, query: int, key: int) -> Cell:
    """The arithmetic behind `weights[layer, head, query, key]`, in float64.

    Args:
        explanation: with q and k recorded.
        layer, head, query, key: which weight; counted from 0.

    Raises:
        GPT1VizError: no such layer, head or position.

    Source: paper section 4.1 and Vaswani et al. 2017, section 3.2.1.
    """
    q_all, k_all = explanation.field("q"), explanation.field("k")  # (L, H, T, D)
    n_layer, n_head, n, _ = q_all.shape
    if not (0 <= layer < n_layer and 0 <= head < n_head):
        raise GPT1VizError("edit_head", layer=layer, head=head, n_layer=n_layer, n_head=n_head)
    if not (0 <= query < n and 0 <= key < n):
        raise GPT1VizError("no_such_cell", query=query, key=key, n=n)
    q = q_all[layer, head, query].astype(np.float64)  # (D,)
    keys = k_all[layer, head].astype(np.float64)  # (S, D)
    scores = keys @ q * explanation.scale  # (S,)
    seen = np.arange(n) <= query if explanation.causal else np.ones(n, dtype=bool)  # (S,)
    exps = np.where(seen, np.exp(scores - max(0.0, scores[seen].max() - 600)), 0.0)  # shifted only where exp overflows
    products = q * keys[key]
    return Cell(
        q=q,
        k=keys[key],
        products=products,
        total=float(products.sum()),
        scale=explanation.scale,
        score=float(scores[key]),
        masked=not seen[key],
        exp=float(exps[key]),
        row_sum=float(exps.sum()),
        weight=float(exps[key] / exps.sum()),
    )
