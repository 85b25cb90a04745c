"""Attention and tokens for the tests of the views."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Token:
    """What the views read of a tokenizer.Piece."""

    text: str
    entry: str
    id: int | None = None
    word_end: bool = True
    newline: bool = False
    unknown: bool = False
    start: int = 0
    end: int = 0


def words(text: str) -> list[Token]:
    """One token a word; a word with | in it is cut there into subwords."""
    tokens, at = [], 0
    for word in text.split(" "):
        parts = word.split("|")
        for n, part in enumerate(parts):
            last = n == len(parts) - 1
            entry = part + ("</w>" if last else "")
            tokens.append(Token(part, entry, len(tokens), last, part == "\n", False, at, at + len(part)))
            at += len(part)
        at += 1
    return tokens


def attention(n_layer: int, n_head: int, n: int, *, causal: bool = True, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(weights, scores), both float32 (L, H, n, n): softmax of N(0, 1) scores, masked if causal."""
    scores = np.random.default_rng(seed).standard_normal((n_layer, n_head, n, n)).astype(np.float32)
    masked = np.where(np.tril(np.ones((n, n), bool)), scores, -1e9) if causal else scores
    weights = np.exp(masked - masked.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32), scores
