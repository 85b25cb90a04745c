"""Speculative decoding: a fast draft model proposes tokens, the slow target model checks them all in one pass.

Leviathan, Kalman and Matias, "Fast Inference from Transformers via Speculative Decoding", 2023, section 2. What is
written has the distribution of the target's own writing, whatever the draft proposes; a good draft only saves passes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model import GPT1

LEAST = 5.0  # tokens expected, below which chi-square does not hold
Draft = Callable[[list[int]], Tensor]  # ids so far -> probabilities (V,) of the next token


@dataclass(frozen=True)
class Written:
    """What was written, and what it cost.

    Attributes:
        ids: the tokens written.
        proposed, accepted: tokens of the draft, and how many of them the target let pass.
        passes: of the target. Writing without a draft takes one a token.
    """

    ids: list[int]
    proposed: int
    accepted: int
    passes: int


def check(p: Tensor, q: Tensor, proposed: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """The target's verdict on tokens that the draft has drawn: (tokens (N,), whether each was accepted (N,)).

        accept x with probability min(1, p(x) / q(x));    else draw from max(p - q, 0), brought to a sum of 1

    Args:
        p, q: (V,) the target's and the draft's probabilities, float64.
        proposed: (N,) tokens drawn from q, each to be judged for itself.
        draws: where the chance comes from.
    """
    u = torch.rand(len(proposed), generator=draws, dtype=torch.float64)
    accepted = u * q[proposed] < p[proposed]  # (N,)
    left = (p - q).clamp(min=0)  # (V,)
    if not left.sum() > 0:  # p = q: nothing was refused
        return proposed, accepted
    instead = torch.multinomial(left, len(proposed), replacement=True, generator=draws)
    return torch.where(accepted, proposed, instead), accepted


@torch.inference_mode()
def write(target: GPT1, draft: Draft, ids: Sequence[int], n_tokens: int, *, n_ahead: int = 4, seed: int = 0) -> Written:
    """Write `n_tokens` behind `ids`: the draft runs `n_ahead` tokens ahead, then the target checks them in one pass.

    Args:
        target: the model whose distribution is kept.
        draft: gives the probabilities of the next token, at no great cost.
        ids: what to go on from; with n_tokens and n_ahead more they must fit into n_ctx.
        n_ahead: tokens proposed between two checks.
    """
    draws, n_vocab = torch.Generator().manual_seed(seed), target.config.n_vocab
    text, n_proposed, n_accepted, n_passes = list(ids), 0, 0, 0
    while len(text) - len(ids) < n_tokens:
        ahead, before = [], []
        for _ in range(n_ahead):
            before.append(draft(text + ahead))
            ahead.append(int(torch.multinomial(before[-1], 1, generator=draws)))
        logits = target(torch.tensor([text + ahead], device=target.device)).logits[0, len(text) - 1 :, :n_vocab]
        p = logits.double().softmax(-1).cpu()  # (n_ahead + 1, V)
        n_passes += 1
        for k, q in enumerate(before):
            token, accepted = check(p[k], q, torch.tensor([ahead[k]]), draws)
            text.append(int(token))
            n_proposed, n_accepted = n_proposed + 1, n_accepted + int(accepted)
            if not accepted:
                break
        else:  # all passed: the same pass has the next token too
            text.append(int(torch.multinomial(p[-1], 1, generator=draws)))
    return Written(text[len(ids) : len(ids) + n_tokens], n_proposed, n_accepted, n_passes)


def same_distribution(counts: np.ndarray, p: np.ndarray) -> float:
    """Chance that counts (V,) drawn from p (V,) lie as far from it as these do, or further: Pearson's chi-square test.

    Tokens of which fewer than LEAST are expected are counted as one.
    """
    expected = counts.sum() * p / p.sum()
    rare = expected < LEAST
    observed = np.append(counts[~rare], counts[rare].sum())
    wanted = np.append(expected[~rare], expected[rare].sum())
    if wanted[-1] < LEAST:  # too few for a class of their own
        observed, wanted = observed[:-1], wanted[:-1]
    if len(wanted) < 2:
        return 1.0
    statistic = torch.tensor(((observed - wanted) ** 2 / wanted).sum())
    freedom = torch.tensor(len(wanted) - 1, dtype=torch.float64)
    return float(torch.special.gammaincc(freedom / 2, statistic / 2))
