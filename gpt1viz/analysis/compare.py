"""Two readings side by side: which tokens they share, and how the two differ there."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np


def shared(a: Sequence[str], b: Sequence[str]) -> np.ndarray:
    """Positions of the tokens that two readings have in common, in order: (N, 2), a's and b's.

    Args:
        a, b: entries of the vocabulary, one a token. Those that agree are found as in a comparison of two files.
    """
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    pairs = [(block.a + i, block.b + i) for block in blocks for i in range(block.size)]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def counterparts(pairs: np.ndarray, n_a: int, n_b: int) -> np.ndarray:
    """For each position of a the one of b that stands for it, (n_a,).

    The last stands for the last, because what comes next is predicted there; a token that b lacks is stood for by the
    counterpart of the one before.

    Args:
        pairs: (N, 2), from `shared`.
        n_a, n_b: how many tokens a and b have.
    """
    found, place, known = np.zeros(n_a, np.int64), 0, {int(i): int(j) for i, j in pairs}
    for i in range(n_a):
        place = known.get(i, min(place, n_b - 1))
        found[i] = place
    found[-1] = n_b - 1
    return found


def surprisal_difference(a: np.ndarray, b: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Surprisal in b minus that in a where the tokens agree, (N,) bits; NaN for a first token, which has none.

    Args:
        a, b: surprisals (T,) in bits.
        pairs: (N, 2), from `shared`.
    """
    return b[pairs[:, 1]] - a[pairs[:, 0]]


def weights_difference(a: np.ndarray, b: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Attention weights of a head of b minus those of a head of a, (N, N): query and key among the shared tokens.

    Args:
        a, b: weights (T, S) of one head each.
        pairs: (N, 2), from `shared`.
    """
    i, j = pairs.T
    return b[np.ix_(j, j)] - a[np.ix_(i, i)]


def common_stretch(ends_a: Sequence[int], ends_b: Sequence[int]) -> tuple[int, int] | None:
    """The stretch of one text, in characters, between the first and the last place where both readings end a token.

    Bits on it can be compared although the vocabularies cut it differently. None if there is no such stretch.

    Args:
        ends_a, ends_b: where each token ends in the text as typed, without those that nobody typed.
    """
    common = sorted(set(ends_a) & set(ends_b))
    return (common[0], common[-1]) if len(common) > 1 else None


def bits_a_character(ends: Sequence[int], surprisal: np.ndarray, start: int, end: int) -> float:
    """Bits that a model needs for each character of a stretch: the surprisals of its tokens, added up and shared out.

    Args:
        ends: where each token ends in the text as typed.
        surprisal: (T,) bits.
        start, end: characters; both ends of tokens, as `common_stretch` gives them.
    """
    places = np.asarray(ends)
    inside = (places > start) & (places <= end)
    return float(surprisal[inside].astype(np.float64).sum() / (end - start))
