"""What a fine-tuned model says to a task's examples, and how often it is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..checkpoints import Loaded
from ..data.task import SPLITS, Task
from ..errors import GPT1VizError
from ..inputs import IGNORED, Example, collate
from .metrics import METRICS
from .progress import Bar
from .task_losses import TaskLosses, Tuned


@dataclass(frozen=True)
class Predictions:
    """Of a split, in the order of its examples.

    Attributes:
        losses: mean "clf_loss" and "lm_loss" in nats.
        probabilities: an array an example: (n_classes,), (K,) for choices, (words, n_classes) for tokens.
        labels: as the examples have them; for tokens those of the words that were not cut off.
    """

    losses: dict[str, float]
    probabilities: list[np.ndarray]
    labels: list

    def decided(self, task: Task) -> list:
        """The most probable class of each example (each word), or the mean score where labels are scores."""
        if task.scores:
            return [float(p @ np.arange(len(p))) for p in self.probabilities]
        best = [p.argmax(-1) for p in self.probabilities]
        return [b.tolist() if b.ndim else int(b) for b in best]

    def numbers(self, task: Task) -> dict[str, float]:
        """The losses and the task's metric by name."""
        decided, labels = self.decided(task), self.labels
        if task.kind == "token":
            decided, labels = (np.concatenate([np.asarray(x) for x in side]) for side in (decided, labels))
        return self.losses | {task.metric: METRICS[task.metric](np.asarray(decided), np.asarray(labels))}

    def rows(self, task: Task, split: str) -> list[dict]:
        """One dictionary an example, ready for JSON: split, texts, label, prediction, probabilities."""
        return [
            {
                "split": split,
                "texts": e.texts,
                "label": label,
                "prediction": chosen,
                "probabilities": p.astype(float).round(6).tolist(),
            }
            for e, label, chosen, p in zip(
                task.splits[split], self.labels, self.decided(task), self.probabilities, strict=True
            )
        ]


@torch.no_grad()
def predict(tuned: Tuned, examples: Sequence[Example], losses: TaskLosses, task: Task, split: str) -> Predictions:
    """Run the model over laid-out examples of a split, the longest together."""
    device, total = tuned.model.device, {"clf_loss": 0.0, "lm_loss": 0.0}
    order = sorted(range(len(examples)), key=lambda k: -max(len(row.ids) for row in examples[k].rows))
    found: dict[int, np.ndarray] = {}
    labels = [e.label for e in task.splits[split]]
    bar = Bar(split)
    for start in range(0, len(order), BATCH):
        which = order[start : start + BATCH]
        batch = collate([examples[k] for k in which]).to(device)
        numbers, scores = losses(tuned, batch)
        for name in total:
            total[name] += numbers[name].item() * len(which) / len(order)
        for k, p in zip(which, scores.float().softmax(-1).cpu().numpy(), strict=True):
            if task.kind == "token":
                own = np.asarray(examples[k].label)
                p, labels[k] = p[: len(own)][own != IGNORED], own[own != IGNORED].tolist()
            found[k] = p
        bar.show((start + len(which)) / len(order))
    bar.close()
    return Predictions(total, [found[k] for k in range(len(order))], labels)


BATCH = 64  # examples at a time


def evaluate_task(loaded: Loaded, task: Task, split: str = "validation", truncation: str = "2018") -> Predictions:
    """How a fine-tuned checkpoint does on a split of a task.

    Raises:
        GPT1VizError: the checkpoint was not fine-tuned, or for another kind of task or other classes; no such split.
    """
    head = loaded.task
    if head is None:
        raise GPT1VizError("evaluate_no_head", name=loaded.info.name)
    if head.kind != task.kind or (task.labels and tuple(task.labels) != head.labels):
        asked, has = (
            f"{kind} ({', '.join(names)})" for kind, names in ((task.kind, task.labels), (head.kind, head.labels))
        )
        raise GPT1VizError("evaluate_other_task", name=loaded.info.name, asked=asked, has=has)
    if split not in task.splits:
        raise GPT1VizError(
            "config_choice", field="split", value=split, allowed=", ".join(s for s in SPLITS if s in task.splits)
        )
    examples = task.lay_out(split, loaded.tokenizer, loaded.model.config, truncation)
    return predict(Tuned(loaded.model, head), examples, TaskLosses(joint_softmax=False), task, split)
