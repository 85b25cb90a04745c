"""How words and places become vectors: nearest rows, similarity of positions, a flat map, the joint matrix of 2018."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ..config import GPT1Config
from ..errors import GPT1VizError
from ..model import GPT1

MEASURES = ("cosine", "dot")


class Near(NamedTuple):
    """Token rows, the nearest first: ids (K,) and the cosines or dot products (K,)."""

    ids: np.ndarray
    values: np.ndarray


class FlatMap(NamedTuple):
    """Rows drawn on a plane.

    Attributes:
        places: (N, 2) along the two directions in which the rows differ most, their mean at 0; each direction is
            turned so that the row farthest out lies on its positive side.
        shares: (2,) of the variance that each direction explains, 0 to 1.
    """

    places: np.ndarray
    shares: np.ndarray


class Word(NamedTuple):
    """A word and its ids. `fault` is None for a word that is one token, else "unknown" or "several"."""

    text: str
    ids: tuple[int, ...]
    fault: str | None


@dataclass(frozen=True)
class JointMass:
    """How a softmax over the joint matrix of 2018 shares its probability, at each position of a text.

    Attributes:
        tokens, special, positions: (T,) probability on the rows of the vocabulary, of the special tokens and of the
            positions; together 1.
        top_position: (T,) the position row with the most probability.
        top_probability: (T,) that probability.
    """

    tokens: np.ndarray
    special: np.ndarray
    positions: np.ndarray
    top_position: np.ndarray
    top_probability: np.ndarray


@torch.inference_mode()
def nearest_tokens(model: GPT1, vector: np.ndarray, top_k: int = 10, *, by: str = "cosine") -> Near:
    """The rows of the vocabulary closest to a vector, in `tokens_embed`.

        cosine = row . vector / (|row| |vector|);    dot = row . vector, what the tied LM head would call a logit

    Args:
        vector: (C,), a token's row, a sum of rows, a hidden state.
        by: "cosine" (0 where a length is 0) or "dot", which favours long rows.

    Raises:
        ValueError: another measure, or a vector of another size.
    """
    if by not in MEASURES or vector.shape != (model.config.n_embd,):
        raise ValueError(f"by one of {MEASURES}, not {by!r}; a vector ({model.config.n_embd},), not {vector.shape}")
    rows = model.tokens_embed.weight[: model.config.n_vocab]  # (V, C)
    to = torch.from_numpy(np.ascontiguousarray(vector)).to(rows)  # (C,)
    values = rows @ to  # (V,)
    if by == "cosine":
        values = values / (rows.norm(dim=-1) * to.norm()).clamp_min(torch.finfo(rows.dtype).tiny)
    found = values.topk(min(top_k, len(rows)))
    return Near(found.indices.cpu().numpy(), found.values.cpu().numpy())


@torch.inference_mode()
def position_rows(model: GPT1) -> np.ndarray:
    """What is added at each place, (n_ctx, C): learned rows, the sinusoids of 2017, or zeros without positions."""
    return model.embedding_matrices()[1].cpu().numpy().copy()


def similarity(rows: np.ndarray) -> np.ndarray:
    """Cosine of every row with every other, (N, N); NaN for a row of length 0, which has no direction.

    Args:
        rows: (N, C), e.g. `position_rows(model)`.
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)  # (N, 1)
    units = rows / np.where(lengths == 0, np.nan, lengths)  # (N, C)
    return units @ units.T


def single_tokens(tokenizer, words: Iterable[str]) -> list[Word]:
    """Words with their ids, each once; which of them are one token, and which are not in the vocabulary.

    What the tokenizer sees nothing in (blanks) is left out.
    """
    found: dict[tuple[int, ...] | str, Word] = {}
    for text in words:
        if ids := tuple(tokenizer.encode(text)):
            fault = "unknown" if 0 in ids else "several" if len(ids) > 1 else None
            found.setdefault(text if fault == "unknown" else ids, Word(text, ids, fault))
    return list(found.values())


def flat_map(rows: np.ndarray) -> FlatMap:
    """Principal components by a plain singular value decomposition of the centred rows.

        rows - mean = U S V^T;    places = the first two columns of U S;    shares = S^2 / sum(S^2)

    Args:
        rows: (N, C), at least two.

    Raises:
        GPT1VizError: `map_too_few`.
    """
    if len(rows) < 2:
        raise GPT1VizError("map_too_few", n=len(rows))
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)  # (N, C)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)  # (N, min(N, C)), (min(N, C),)
    places, shares = np.zeros((len(rows), 2)), np.zeros(2)
    n = min(2, len(s))
    places[:, :n] = u[:, :n] * s[:n]
    if total := float((s**2).sum()):
        shares[:n] = s[:n] ** 2 / total
    farthest = places[np.abs(places).argmax(axis=0), [0, 1]]  # (2,)
    return FlatMap(places * np.where(farthest < 0, -1.0, 1.0), shares)


def joint_parts(config: GPT1Config) -> dict[str, range]:
    """Which rows of the 2018 code's one matrix `we` are what: "tokens", then "special", then "positions".

    Source: train.py of 2018, where a position is looked up like a token; `forward(joint_softmax=True)` scores them all.
    """
    rows = config.n_rows
    return {
        "tokens": range(config.n_vocab),
        "special": range(config.n_vocab, rows),
        "positions": range(rows, rows + config.n_ctx),
    }


@torch.inference_mode()
def joint_matrix(model: GPT1) -> np.ndarray:
    """Token, special and position rows in one matrix (n_rows + n_ctx, C), as the 2018 code holds them."""
    return torch.cat(model.embedding_matrices()).cpu().numpy()


@torch.inference_mode()
def joint_mass(model: GPT1, ids: np.ndarray) -> JointMass:
    """How much probability falls on position rows when the LM head scores the whole joint matrix.

    The 2018 code does so in fine-tuning; there n_ctx had shrunk to the longest input, so that fewer position rows took
    part than here, where all n_ctx do.

    Args:
        ids: (T,) the tokens read.

    Raises:
        GPT1VizError: no tokens, or more than n_ctx.
    """
    logits = model(torch.from_numpy(ids[None]).to(model.device), joint_softmax=True).logits[0].float()  # (T, V + n_ctx)
    whole = logits.logsumexp(-1)  # (T,)
    parts = joint_parts(model.config)
    mass = {name: (logits[:, part.start : part.stop].logsumexp(-1) - whole).exp() for name, part in parts.items()}
    top = logits[:, parts["positions"].start :].max(-1)
    return JointMass(
        **{name: share.cpu().numpy() for name, share in mass.items()},
        top_position=top.indices.cpu().numpy(),
        top_probability=(top.values - whole).exp().cpu().numpy(),
    )
