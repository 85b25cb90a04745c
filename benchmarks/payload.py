"""What the attention grid sends to the browser, against BertViz's page."""

import numpy as np
import torch

from gpt1viz.model import causal_mask
from gpt1viz.tokenizer import Piece
from gpt1viz.trace import MASKED
from gpt1viz.views import attention_grid_payload

from .report import Row

TITLE = "Bytes to show the attention of 12 x 12 heads"
NOTE = (
    "Causal attention of random queries and keys (D = 64). The grid's tiles are pooled by maximum to at most 64 x 64 "
    "cells a head and rounded to 64 levels; the head in focus is sent as it is, float32, with its products. BertViz "
    "writes every weight out as text. Both without the code that draws: BertViz's page loads its own from the network."
)
AIM = 300_000  # bytes at 128 tokens
FOCUS = (5, 5)


def measure(repeats: int) -> list[Row]:
    rows = []
    for n_tokens in (64, 128):
        weights, products, words = attention(n_tokens)
        ours = len(grid(weights, products, words))
        for name in ("head_view", "model_view"):
            page = len(bertviz(name, weights, words).encode())
            rows.append(
                Row(
                    f"BertViz's {name}, {n_tokens} tokens",
                    f"{ours / 1e3:.0f} kB",
                    f"{page / 1e6:.1f} MB",
                    f"{page / ours:.0f} times smaller",
                    "exact",
                    f"{AIM / 1e3:.0f} kB at 128 tokens",
                    ours <= AIM,
                )
            )
    return rows


def attention(n_tokens: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Weights (L, H, T, T), the products q k^T of the head in focus (T, T), and the tokens' words."""
    draws = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 12, 12, n_tokens, 64, generator=draws)
    products = q @ k.transpose(-2, -1)  # (L, H, T, S)
    weights = (products / 8).masked_fill(~causal_mask(n_tokens, n_tokens), MASKED).softmax(-1)
    return weights.numpy(), products[FOCUS].numpy(), [f"w{n}" for n in range(n_tokens)]


def grid(weights: np.ndarray, products: np.ndarray, words: list[str]) -> bytes:
    """The bytes that our grid draws from."""
    tokens = [Piece(n, f"{word}</w>", word, True, False, False, -1, -1) for n, word in enumerate(words)]
    return attention_grid_payload(weights, tokens, focus=FOCUS, scores=products / 8, raw_scores=products)


def bertviz(view: str, weights: np.ndarray, words: list[str]) -> str:
    """BertViz's page of the same attention, "head_view" or "model_view"."""
    import bertviz

    layers = [layer[None] for layer in torch.from_numpy(weights)]
    return getattr(bertviz, view)(layers, words, html_action="return").data
