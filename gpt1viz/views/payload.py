"""What a view draws, as bytes: 4 bytes header length (little-endian), JSON header, deflated arrays.

The header's "arrays" table gives each array's name, dtype, shape, and its offset and length in bytes behind the
header. Everything that a view says is in the header too ("strings", from text/<lang>/views.toml).
"""

import json
import zlib
from collections.abc import Sequence

import numpy as np

from gpt1viz.text import strings
from gpt1viz.text.tokens import SPECIAL, label, visible

TILE = 64  # a head's tile holds at most TILE x TILE cells
LEVELS = 64  # of sqrt(weight) in the tiles
WINDOW = 128  # the large head shows at most this many tokens
KINDS = ("probability", "surprisal", "entropy", "rank", "attention")


def attention_grid_payload(
    weights: np.ndarray,
    tokens: Sequence,
    *,
    focus: tuple[int, int],
    cell: tuple[int, int] | None = None,
    scores: np.ndarray | None = None,
    raw_scores: np.ndarray | None = None,
    causal: bool = True,
    lang: str = "en",
    window: int | None = None,
) -> bytes:
    """All heads as small tiles, and one head exactly.

    The tiles hold sqrt(weight), pooled by maximum to at most 64 x 64 cells a head and rounded to 64 levels.
    The head in focus is float32; of more than 128 tokens it is the window of 128 around the focus.

    Args:
        weights: float32 (L, H, T, S), attention weights in [0, 1]; the T queries are the last T of the S keys.
        tokens: the S tokens (tokenizer.Piece).
        focus: (layer, head) shown large.
        cell: (query, key) that is locked, as indices into T and S.
        scores: float32 (T, S) of the head in focus: q.k / sqrt(D), before the mask.
        raw_scores: float32 (T, S) of the head in focus: q.k.
        causal: whether keys behind the query are masked.
        lang: language of captions and labels.
        window: first key position of the window; by default it surrounds the cell's query or the last token.

    Raises:
        ValueError: shapes that do not fit each other, or a focus or cell outside of them.
    """
    weights = np.asarray(weights, dtype=np.float32)  # L H T S
    if weights.ndim != 4 or weights.shape[3] != len(tokens) or not 0 < weights.shape[2] <= weights.shape[3]:
        raise ValueError(f"weights {weights.shape} do not fit {len(tokens)} tokens")
    n_layer, n_head, n_query, n_key = weights.shape
    layer, head = int(focus[0]), int(focus[1])
    if not (0 <= layer < n_layer and 0 <= head < n_head):
        raise ValueError(f"no head {focus} among {n_layer} x {n_head}")
    if cell is not None and not (0 <= cell[0] < n_query and 0 <= cell[1] < n_key):
        raise ValueError(f"no cell {cell} among {n_query} x {n_key}")

    shift = n_key - n_query  # position of query 0
    centre = n_key - 1 if cell is None else int(cell[0]) + shift
    cols = shown_window(n_key, centre, window)
    rows = slice(max(cols.start - shift, 0), max(cols.stop - shift, 0))
    k = -(-n_key // TILE)
    arrays = {"tiles": _tiles(weights, k), "weights": weights[layer, head, rows, cols]}
    for name, matrix in (("scaled", scores), ("raw", raw_scores)):
        if matrix is not None:
            matrix = np.asarray(matrix, dtype=np.float32)  # T S
            if matrix.shape != (n_query, n_key):
                raise ValueError(f"scores {matrix.shape} do not fit weights {weights.shape}")
            arrays[name] = matrix[rows, cols]
    factor = _factor(arrays["raw"], arrays["scaled"]) if "raw" in arrays and "scaled" in arrays else None
    if factor is not None:
        del arrays["scaled"]  # the view multiplies: a fifth less to send
    header = {
        "L": n_layer,
        "H": n_head,
        "T": n_query,
        "S": n_key,
        "shift": shift,
        "causal": causal,
        "k": k,
        "levels": LEVELS,
        "focus": [layer, head],
        "cell": None if cell is None else [int(cell[0]), int(cell[1])],
        "rows": [rows.start, rows.stop],
        "cols": [cols.start, cols.stop],
        "labels": [label(piece) for piece in tokens],
        "factor": factor,
        "link": link(tokens),
    }
    return _pack(header, arrays, "grid_", lang)


def token_strip_payload(
    tokens: Sequence,
    values: np.ndarray,
    *,
    kind: str,
    focus: int | None = None,
    attention: np.ndarray | None = None,
    lang: str = "en",
    n_typed: int | None = None,
    window: tuple[int, int] | None = None,
) -> bytes:
    """The tokens as chips, each coloured by a value.

    Args:
        tokens: the T tokens (tokenizer.Piece).
        values: float32 (T,): probability or attention in [0, 1], surprisal or entropy in bits, rank from 1;
            NaN (or rank 0) where a token has no value: nothing comes before the first one.
        kind: which of these it is; sets the colour scale and the number format.
        focus: index of the token in focus.
        attention: float32 (T, T) of one head: hovering a token then shows where it looks. Sent as the square
            root in 65,536 steps: exact to 2e-5.
        lang: language of labels.
        n_typed: how many tokens the text has; above T the strip says that the rest was cut.
        window: (first, behind the last) position of the tokens that the large head shows, marked by brackets.

    Raises:
        ValueError: an unknown kind, or shapes that do not fit.
    """
    values = np.array(values, dtype=np.float32)  # T
    n = len(tokens)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, not {kind!r}")
    if values.shape != (n,):
        raise ValueError(f"values {values.shape} do not fit {n} tokens")
    if kind == "rank":
        values[values < 1] = np.nan
    arrays = {"values": values}
    if attention is not None:
        if np.shape(attention) != (n, n):
            raise ValueError(f"attention {np.shape(attention)} does not fit {n} tokens")
        arrays["attention"] = np.rint(np.sqrt(np.clip(attention, 0, 1)) * 65535).astype(np.uint16)  # T T
    header = {
        "kind": kind,
        "focus": focus,
        "n_typed": n_typed,
        "window": window,
        "tokens": [_chip(piece) for piece in tokens],
        "link": link(tokens),
    }
    return _pack(header, arrays, "strip_", lang)


def link(tokens: Sequence) -> int:
    """A number that views of the same text share, so that hovering links these and no others."""
    return zlib.crc32("\0".join(f"{piece.start}:{piece.entry}" for piece in tokens).encode())


def _chip(piece) -> dict:
    chip = {"label": label(piece), "entry": visible(piece.entry), "id": piece.id}
    chip |= {"start": piece.start, "end": piece.end, "word_end": bool(piece.word_end)}
    chip |= {"newline": bool(piece.newline), "unknown": bool(piece.unknown), "special": SPECIAL.get(piece.entry)}
    return chip


def shown_window(n: int, centre: int, first: int | None = None) -> slice:
    """The positions that the large head shows of n: at most 128, from `first` on or else around `centre`."""
    start = centre - WINDOW // 2 if first is None else int(first)
    start = max(0, min(start, n - WINDOW))
    return slice(start, min(n, start + WINDOW))


def _tiles(weights: np.ndarray, k: int) -> np.ndarray:
    """(L, H, T, S) weights -> uint8 (L, H, ceil(T/k), ceil(S/k)): maxima of k x k, as levels of the square root."""
    weights = _pool(_pool(weights, k).swapaxes(2, 3), k).swapaxes(2, 3)
    return np.rint(np.sqrt(np.clip(weights, 0, 1)) * (LEVELS - 1)).astype(np.uint8)


def _factor(raw: np.ndarray, scaled: np.ndarray) -> float | None:
    """The number that turns raw into scaled to float32's precision, or None if there is none."""
    square = np.vdot(raw.astype(np.float64), raw)
    factor = float(np.vdot(raw.astype(np.float64), scaled) / square) if square > 0 else 1.0
    return factor if np.allclose(raw * factor, scaled, rtol=4e-7, atol=1e-12) else None


def _pool(x: np.ndarray, k: int) -> np.ndarray:
    """The maximum of each k rows (axis 2), the last group perhaps smaller."""
    out = x[:, :, ::k].copy()
    for i in range(1, k):
        part = x[:, :, i::k]
        np.maximum(out[:, :, : part.shape[2]], part, out=out[:, :, : part.shape[2]])
    return out


def _pack(header: dict, arrays: dict[str, np.ndarray], prefix: str, lang: str) -> bytes:
    table, blobs, offset = [], [], 0
    for name, array in arrays.items():
        blob = zlib.compress(np.ascontiguousarray(array).tobytes())  # numpy here and typed arrays there: little-endian
        table.append(
            {
                "name": name,
                "dtype": array.dtype.name,
                "shape": array.shape,
                "offset": offset,
                "length": len(blob),
            }
        )
        blobs.append(blob)
        offset += len(blob)
    said = {key.removeprefix(prefix): text for key, text in strings("views", lang).items() if key.startswith(prefix)}
    text = json.dumps({**header, "lang": lang, "strings": said, "arrays": table}, separators=(",", ":"))
    data = text.encode()
    return b"".join([len(data).to_bytes(4, "little"), data, *blobs])
