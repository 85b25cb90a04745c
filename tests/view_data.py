"""Attention and tokens for the tests of the views, and their payloads read back."""

import json
import zlib

import numpy as np

from gpt1viz.tokenizer import Piece


def pieces(text: str) -> list[Piece]:
    """One piece a word; a word with | in it is cut there into subwords, ¶ is a newline and ? unknown."""
    found, at = [], 0
    for word in text.split(" "):
        parts = word.split("|")
        for n, part in enumerate(parts):
            last, id = n == len(parts) - 1, len(found)
            span = {"start": at, "end": at + len(part)}
            if part == "¶":
                found.append(Piece(id, "\n</w>", "\n", True, newline=True, unknown=False, **span))
            elif part == "?":
                found.append(Piece(0, "<unk>", part, last, newline=False, unknown=True, **span))
            else:
                entry = part + ("</w>" if last else "")
                found.append(Piece(id, entry, part, last, newline=False, unknown=False, **span))
            at += len(part)
        at += 1
    return found


def attention(n_layer: int, n_head: int, n: int, *, causal: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """(weights, scores), both float32 (L, H, n, n): softmax of N(0, 1) scores, masked if causal."""
    scores = np.random.default_rng(0).standard_normal((n_layer, n_head, n, n)).astype(np.float32)
    masked = np.where(np.tril(np.ones((n, n), bool)), scores, -1e9) if causal else scores
    weights = np.exp(masked - masked.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32), scores


def unpack(payload: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """(header, arrays by name) of a view's payload."""
    start = 4 + int.from_bytes(payload[:4], "little")
    header = json.loads(payload[4:start])
    arrays = {}
    for entry in header["arrays"]:
        first = start + entry["offset"]
        raw = zlib.decompress(payload[first : first + entry["length"]])
        arrays[entry["name"]] = np.frombuffer(raw, entry["dtype"]).reshape(entry["shape"])
    return header, arrays
