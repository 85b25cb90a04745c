"""One attention weight, taken apart into the numbers that make it."""

from dataclasses import dataclass

import numpy as np

from ..errors import GPT1VizError

FAR = 100  # scores beyond this are shifted before exp, as any softmax does; e^709 leaves float64


@dataclass(frozen=True)
class Cell:
    """How one head computes one weight: sum(q * k) -> * scale -> mask -> - shift -> exp -> / sum of the row's exps.

    Attributes:
        q, k: (D,) of the query's and the key's position.
        products: (D,) q * k.
        total: their sum.
        scale: 1/sqrt(D), or 1 where the configuration leaves it out.
        score: total * scale.
        masked: whether the mask hides this key, so that the weight is 0.
        shift: the row's largest score where exp of the scores would leave the floating-point range, else 0; taken
            from every score of a row it does not change the weights.
        exp: exp(score - shift); 0 where masked.
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
    shift: float
    exp: float
    row_sum: float
    weight: float


def cell(q: np.ndarray, k: np.ndarray, query: int, key: int, *, scale: float, causal: bool = True) -> Cell:
    """The arithmetic behind one attention weight, in float64.

    Args:
        q, k: queries and keys of one head, (T, D) each.
        query, key: row and column of the weight, counted from 0.
        scale: factor on the sum, 1/sqrt(D) in GPT-1.
        causal: whether a query sees only itself and what came before.

    Raises:
        GPT1VizError: no such position.

    Source: paper section 4.1 and Vaswani et al. 2017, section 3.2.1.
    """
    n = len(q)
    if not (0 <= query < n and 0 <= key < n):
        raise GPT1VizError("no_such_cell", query=query, key=key, n=n)
    q_row, keys = q[query].astype(np.float64), k.astype(np.float64)  # (D,), (S, D)
    scores = keys @ q_row * scale  # (S,)
    seen = np.arange(n) <= query if causal else np.ones(n, dtype=bool)  # (S,)
    highest = float(scores[seen].max())
    shift = highest if abs(highest) > FAR else 0.0
    exps = np.zeros(n)  # (S,)
    exps[seen] = np.exp(scores[seen] - shift)
    products = q_row * keys[key]  # (D,)
    return Cell(
        q=q_row,
        k=keys[key],
        products=products,
        total=float(products.sum()),
        scale=scale,
        score=float(scores[key]),
        masked=not seen[key],
        shift=shift,
        exp=float(exps[key]),
        row_sum=float(exps.sum()),
        weight=float(exps[key] / exps.sum()),
    )
