"""Claims about the losses of fine-tuning: rows 7, 8 and 16."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.toys import toy
from ..inputs import N_SPECIAL, Batch, collate
from ..model import GPT1, TaskHead
from ..tokenizer import Tokenizer
from ..training import files
from ..training.runs import Run
from ..training.task_losses import TaskLosses, Tuned
from .result import Drawing, Result

LAMBDA = 0.5
ROWS = 8  # examples of the toy task in the batch
# Paper, table 5: with the auxiliary language-model loss and without. Scores of single runs.
TABLE_5 = {
    "CoLA": (45.4, 47.9),
    "SST-2": (91.3, 92.0),
    "MRPC": (82.3, 84.9),
    "STS-B": (82.0, 83.2),
    "QQP": (70.3, 69.8),
    "MNLI": (81.8, 81.1),
    "QNLI": (88.1, 86.9),
    "RTE": (56.0, 54.4),
}


class Measured(NamedTuple):
    """One batch of toy/mood under the training code's own losses.

    Attributes:
        task, lm: L2 and L1, in nats.
        total: what the training code makes of them at lambda 1/2.
        by_task, by_lm, by_total: their gradients by the last block's parameters, each one long vector.
    """

    task: float
    lm: float
    total: float
    by_task: Tensor
    by_lm: Tensor
    by_total: Tensor

    def share(self, task: float, lm: float) -> float:
        """How much of the gradients' length comes from the task, under such weights."""
        from_task, from_lm = task * float(self.by_task.norm()), lm * float(self.by_lm.norm())
        return from_task / (from_task + from_lm)


def measure(model: GPT1, tokenizer: Tokenizer) -> Measured:
    """What `training.finetune` computes on its first batch, without dropout, for the last block only."""
    config = replace(model.config, n_special=N_SPECIAL)
    batch = _batch(tokenizer, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = TaskHead("classification", config.n_embd, ("good", "bad"))
        new = 0.02 * torch.randn(N_SPECIAL, config.n_embd)
    tuned = Tuned(_with_special(model, new), head).to(model.device).eval()
    learning = [p.requires_grad_() for p in tuned.model.h[-1].parameters()]
    losses = TaskLosses(LAMBDA, joint_softmax=True, n_positions=batch.ids.shape[-1])
    with torch.enable_grad():
        found, _ = losses(tuned, batch.to(model.device))
        gradients = {}
        for name in ("clf_loss", "lm_loss", "loss"):
            parts = torch.autograd.grad(found[name], learning, retain_graph=True)
            gradients[name] = torch.cat([part.flatten() for part in parts])
    task, lm, total = (float(found[name].detach()) for name in ("clf_loss", "lm_loss", "loss"))
    return Measured(task, lm, total, *(gradients[name] for name in ("clf_loss", "lm_loss", "loss")))


def _batch(tokenizer: Tokenizer, config) -> Batch:
    task = toy("toy/mood", sizes={"train": ROWS})
    return collate(task.lay_out("train", tokenizer, config))


def _with_special(model: GPT1, new: Tensor) -> GPT1:
    """The same weights, none of them copied but the embedding, which gets three rows if it has none."""
    with torch.device("meta"):
        other = GPT1(replace(model.config, n_special=N_SPECIAL))
    own = dict(model.state_dict())
    rows = own["tokens_embed.weight"][: model.config.n_vocab]
    own["tokens_embed.weight"] = torch.cat([rows, new.to(rows)])
    other.load_state_dict(own, assign=True)
    return other.requires_grad_(False)


def l3(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 7: the training code's loss and gradient against L2 + L1 / 2 and against L1 + L2 / 2."""
    found = measure(model, tokenizer)
    paper, notes = found.task + LAMBDA * found.lm, found.lm + LAMBDA * found.task
    by_paper = found.by_task + LAMBDA * found.by_lm
    by_notes = found.by_lm + LAMBDA * found.by_task
    shares = {"L2 + λL1": found.share(1, LAMBDA), "L1 + λL2": found.share(LAMBDA, 1)}
    return Result(
        seen=_near(found.total, paper)
        and not _near(found.total, notes)
        and _apart(found.by_total, by_paper) < 1e-3 < _apart(found.by_total, by_notes),
        numbers={
            "task": found.task,
            "lm": found.lm,
            "total": found.total,
            "paper": paper,
            "notes": notes,
            "share": shares["L2 + λL1"],
            "share_notes": shares["L1 + λL2"],
        },
        drawing=_shares(shares),
    )


def mixture(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 8: lambda L2 + (1 - lambda) L1 at 1/2 is half of L2 + L1; at 2/3, times 3/2, it is the paper's at 1/2."""
    found = measure(model, tokenizer)
    notes = LAMBDA * found.task + (1 - LAMBDA) * found.lm
    scaled = 1.5 * (2 / 3 * found.task + 1 / 3 * found.lm)
    by_notes = LAMBDA * (found.by_task + found.by_lm)
    shares = {"L2 + λL1": found.share(1, LAMBDA), "λL2 + (1 − λ)L1": found.share(LAMBDA, 1 - LAMBDA)}
    return Result(
        seen=not _near(found.total, notes)
        and _near(found.total, scaled)
        and _near(2 * notes, found.task + found.lm)
        and _apart(found.by_total, by_notes) > 1e-3,
        numbers={
            "task": found.task,
            "lm": found.lm,
            "total": found.total,
            "notes": notes,
            "scaled": scaled,
            "share": shares["L2 + λL1"],
            "share_notes": shares["λL2 + (1 − λ)L1"],
        },
        drawing=_shares(shares),
    )


def _near(found: float, wanted: float) -> bool:
    return abs(found - wanted) < 1e-4 * abs(wanted)


def _apart(one: Tensor, other: Tensor) -> float:
    """Distance of two gradients, in lengths of the second."""
    return float((one - other).norm() / other.norm())


def _shares(shares: dict[str, float]) -> Drawing:
    return Drawing(
        "bars",
        ([*shares], np.array([*shares.values()])),
        {"texts": [f"{100 * share:.0f}%" for share in shares.values()]},
        {"value_title": "l3_x"},
        {"loss": [*shares], "share_of_task": [*shares.values()]},
    )


def auxiliary(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 16: what the auxiliary loss gains on each task of the paper's table 5, and on average."""
    gains = {task: round(with_lm - without, 1) for task, (with_lm, without) in TABLE_5.items()}
    gained = [task for task, gain in gains.items() if gain > 0]
    lost = [task for task, gain in gains.items() if gain < 0]
    return Result(
        seen=set(gained) == {"QQP", "MNLI", "QNLI", "RTE"} and len(lost) == 4,
        numbers={
            "gained": ", ".join(gained),
            "lost": ", ".join(lost),
            "least": abs(min(gains.values())),
            "most": max(gains.values()),
            "with_lm": float(np.mean([pair[0] for pair in TABLE_5.values()])),
            "without": float(np.mean([pair[1] for pair in TABLE_5.values()])),
        },
        drawing=Drawing(
            "bars",
            ([*gains], np.array([*gains.values()])),
            {"texts": [f"{gain:+.1f}".replace("-", "−") for gain in gains.values()]},
            {"value_title": "auxiliary_x"},
            {"task": [*gains], "gain": [*gains.values()]},
        ),
    )


def measured_pairs(runs: Iterable[Run]) -> list[dict]:
    """Finished fine-tuned runs that differ in lambda only, side by side.

    Returns:
        One row a pair: task, metric, the smaller and the larger lambda, and what was reached with each.
    """
    alike: dict[str, list[tuple[float, float, dict]]] = {}
    for run in runs:
        settings = dict(run.settings)
        evaluations = run.metrics("eval")
        if run.state != "finished" or settings.get("kind") != "finetune" or not evaluations:
            continue
        task = files.read_json(run.path / "task.json")
        lm_coef, reached = settings.pop("lm_coef"), evaluations[-1].get(task.get("metric"))
        if reached is not None:
            alike.setdefault(repr((run.config, settings)), []).append((lm_coef, reached, task))
    found = []
    for same in alike.values():
        (low, without, task), (high, with_lm, _) = min(same, key=lambda x: x[0]), max(same, key=lambda x: x[0])
        if low < high:
            found.append(
                {"task": task["name"], "metric": task["metric"], "low": low, "high": high, "without": without}
                | {"with_lm": with_lm}
            )
    return found
