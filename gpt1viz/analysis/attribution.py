"""Attribution of the next token to the tokens read: gradient times input, and integrated gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..errors import GPT1VizError
from ..model import GPT1
from .target import Target, embedded, next_logits

BASELINES = ("zero", "mean")
NODES, SHARES = np.polynomial.legendre.leggauss(3)  # of an interval from -1 to 1; exact up to the fifth power
ROWS = 1024  # positions times points in one batch
FLOOR = 1e-4  # no error below this counts: it is rounding
MOST_POINTS = 3000


@dataclass(frozen=True)
class Attribution:
    """How much each token's embedding adds to the target, by its share of the way from a baseline.

    Attributes:
        scores: (T,) one number a token, in the target's unit (logits or nats).
        value: the target on the text.
        baseline: the target with the baseline's vector in place of every token; positions are kept.
        n_points: gradients taken.
    """

    scores: np.ndarray
    value: float
    baseline: float
    n_points: int

    @property
    def total(self) -> float:
        """What the scores add up to."""
        return float(self.scores.sum())

    @property
    def difference(self) -> float:
        """What they should add up to: the target on the text less that on the baseline."""
        return self.value - self.baseline

    @property
    def error(self) -> float:
        """Total less difference."""
        return self.total - self.difference


def baseline_vector(model: GPT1, baseline: str | int) -> Tensor:
    """The vector (C,) that stands for "no token".

    Args:
        baseline: "zero", the zero vector; "mean", the mean of all token rows; or a token's id, its row.

    Raises:
        GPT1VizError: none of these.
    """
    rows = model.tokens_embed.weight[: model.config.n_vocab].detach()  # (V, C)
    if baseline == "zero":
        return torch.zeros_like(rows[0])
    if baseline == "mean":
        return rows.mean(dim=0)
    if isinstance(baseline, str):
        raise GPT1VizError("attribution_baseline", value=baseline, allowed=", ".join(BASELINES))
    if not 0 <= baseline < len(rows):
        raise GPT1VizError("tokenizer_id", id=baseline, last=len(rows) - 1)
    return rows[baseline]


@torch.inference_mode(False)  # whatever surrounds the call
def gradient_x_input(model: GPT1, ids: np.ndarray, target: Target, baseline: str | int = "zero") -> Attribution:
    """The gradient at the text times the way from the baseline: grad_x f . (x - x'), one number a token.

    A straight line through f at the text: its scores add up to the difference only as far as f is straight, which
    the LayerNorm of the first block already prevents.

    Args:
        model: any GPT1; it is not changed, and no gradient is left on it.
        ids: (T,) the tokens read.
        target: f, measured after the last token.
        baseline: see `baseline_vector`.

    Raises:
        GPT1VizError: no tokens or too many, a target or baseline that is not there.

    Source: Shrikumar et al. 2016, "Not just a black box".
    """
    path = _Path(model, ids, target, baseline)
    baseline_value, value = path.values([0.0, 1.0])
    [gradient] = path.gradients([1.0])  # (T, C)
    return Attribution((gradient * path.way).sum(-1).numpy(), value, baseline_value, n_points=1)


@torch.inference_mode(False)
def integrated_gradients(
    model: GPT1,
    ids: np.ndarray,
    target: Target,
    baseline: str | int = "zero",
    *,
    tolerance: float = 0.005,
    progress: Callable[[float], object] | None = None,
) -> Attribution:
    """Integrated gradients: (x - x') . integral from 0 to 1 of grad f(x' + a (x - x')) da, one number a token.

    The scores add up to f(x) - f(x') (completeness). The integral is taken piece by piece, by three points each;
    since every piece must add up to the difference of f at its own two ends, those that do not are halved, until
    what they miss together is within the tolerance, and what they miss taken without sign is so of the scores taken
    without sign.

    Args:
        model, ids, target, baseline: as for `gradient_x_input`.
        tolerance: share of |f(x) - f(x')|, and of the sum of all |scores|, that may be missed; never less than 0.0001.
        progress: is told the share done of the points planned so far; what it raises ends the work.

    Returns:
        an Attribution, whose `error` says what is missed; more than the tolerance only where 3,000 points did not do.

    Raises:
        GPT1VizError: as `gradient_x_input`.

    Source: Sundararajan et al. 2017, "Axiomatic attribution for deep networks", section 3.
    """
    path = _Path(model, ids, target, baseline)
    ends = np.linspace(0, 1, 5).tolist()
    f = dict(zip(ends, path.values(ends), strict=True))  # at the ends of the pieces
    difference = f[1.0] - f[0.0]
    allowed = max(tolerance * abs(difference), FLOOR)
    pieces: dict[tuple[float, float], Tensor] = {}  # (from, to) -> its part of the scores (T,)
    todo, step = list(pairwise(ends)), max(1, ROWS // (len(NODES) * len(ids)))
    n_points, scores = 0, torch.zeros(len(ids))
    while todo:
        some, todo = todo[:step], todo[step:]
        pieces |= zip(some, path.parts(some), strict=True)
        n_points += len(NODES) * len(some)
        missed = {(a, b): abs(float(part.sum()) - (f[b] - f[a])) for (a, b), part in pieces.items()}
        worst = [piece for _, piece in sorted(zip(missed.values(), missed, strict=True), reverse=True)]
        worst = [piece for piece in worst if missed[piece] > allowed / (2 * len(missed))]
        if progress is not None:
            progress(n_points / (n_points + len(NODES) * (len(todo) or 2 * len(worst))))
        if todo:
            continue  # pieces are still without their part
        scores = torch.stack(list(pieces.values())).sum(0)  # (T,)
        fine = sum(missed.values()) <= max(allowed, tolerance * float(scores.abs().sum()))
        if (fine and abs(float(scores.sum()) - difference) <= allowed) or n_points >= MOST_POINTS:
            break
        worst = worst[: max(1, step // 2)]
        f |= zip((sum(piece) / 2 for piece in worst), path.values([sum(piece) / 2 for piece in worst]), strict=True)
        for a, b in worst:
            del pieces[a, b]
            todo += [(a, (a + b) / 2), ((a + b) / 2, b)]
    return Attribution(scores.numpy(), f[1.0], f[0.0], n_points)


class _Path:
    """The straight way from the baseline's vectors to the text's, and the target along it."""

    def __init__(self, model: GPT1, ids: np.ndarray, target: Target, baseline: str | int):
        target.check(model.config.n_vocab)
        self.model, self.target = model, target
        with torch.no_grad():
            rows, self.positions = embedded(model, torch.from_numpy(ids).to(model.device))  # (T, C) each
            self.start = baseline_vector(model, baseline).expand_as(rows)  # (T, C)
            self.along = rows - self.start  # (T, C)
        self.way = self.along.double().cpu()

    def inputs(self, places: Sequence[float]) -> Tensor:
        """Token vectors (N, T, C) at N places, 0 the baseline and 1 the text."""
        return self.start + self.start.new_tensor(places)[:, None, None] * self.along

    def values(self, places: Sequence[float]) -> list[float]:
        """The target at N places."""
        found, step = [], max(1, ROWS // len(self.start))
        with torch.no_grad():
            for i in range(0, len(places), step):
                logits = next_logits(self.model, self.inputs(places[i : i + step]) + self.positions)  # (N, V)
                found += self.target.of(logits).tolist()
        return found

    def gradients(self, places: Sequence[float]) -> Tensor:
        """Gradients (N, T, C) of the target with respect to the token vectors at N places."""
        with torch.enable_grad():
            inputs = self.inputs(places).requires_grad_()
            values = self.target.of(next_logits(self.model, inputs + self.positions))  # (N,)
            [gradients] = torch.autograd.grad(values.sum(), inputs)  # of the inputs only: none is left on the model
        return gradients.double().cpu()

    def parts(self, pieces: list[tuple[float, float]]) -> list[Tensor]:
        """Each piece's part of the scores, (T,)."""
        ends = np.array(pieces)  # (P, 2)
        middle, half = ends.mean(1, keepdims=True), np.diff(ends) / 2
        gradients = self.gradients((middle + half * NODES).ravel().tolist())  # (P * 3, T, C)
        shares = torch.from_numpy(half * SHARES).ravel()  # (P * 3,)
        scores = (gradients * self.way).sum(-1) * shares[:, None]  # (P * 3, T)
        return list(scores.unflatten(0, (len(pieces), len(NODES))).sum(1))
