"""The losses of fine-tuning: L3 = L2 + lambda L1 (paper section 3.2)."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ..inputs import IGNORED, Batch
from ..model import GPT1, TaskHead
from .losses import cross_entropy


class Tuned(nn.Module):
    """A language model and the head that reads it out: all that fine-tuning trains."""

    def __init__(self, model: GPT1, head: TaskHead):
        super().__init__()
        self.model, self.head = model, head


@dataclass(frozen=True)
class TaskLosses:
    """What a batch costs.

    Args:
        lm_coef: lambda, the weight of the auxiliary language-model loss.
        joint_softmax: the language model's softmax spreads over position rows too, as in the 2018 code.
        n_positions: how many of them: as many as the task's longest input, to which the 2018 code shrinks n_ctx.
    """

    lm_coef: float = 0.5
    joint_softmax: bool = True
    n_positions: int = 512

    def __call__(self, tuned: Tuned, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """({"loss", "clf_loss", "lm_loss"}, scores as `TaskHead` gives them).

        Every loss is a mean over the batch's examples, so that the parts of a batch average to the whole.
        """
        ids, mask = batch.ids.flatten(0, -2), batch.mask.flatten(0, -2)  # (rows, T)

        def head(hidden: Tensor, rows: Tensor) -> Tensor:
            """Of each sequence the mean over its own targets, then the mean over sequences."""
            counted = mask[:, 1:] / mask[:, 1:].sum(1, keepdim=True) / len(mask)
            n_rows = tuned.model.config.n_rows + self.n_positions
            return cross_entropy(hidden[:, :-1], rows[:n_rows], ids[:, 1:], counted)

        output = tuned.model(ids, joint_softmax=self.joint_softmax, head=head if self.lm_coef else _no_loss)
        scores = tuned.head(output.hidden.unflatten(0, batch.ids.shape[:-1]), batch.extract)
        losses = {"loss": output.logits * self.lm_coef, "lm_loss": output.logits}
        if batch.labels is not None:
            losses["clf_loss"] = clf_loss(scores, batch.labels)
            losses["loss"] = losses["clf_loss"] + losses["loss"]
        return losses, scores


def clf_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """The paper's L2, its sign turned: mean -log P(y | x) in nats.

    Args:
        scores: (B, n_classes) or (B, K) with labels (B,) or distributions of the same shape; for tokens
            (B, T, n_classes) with labels (B, T), of which IGNORED ones do not count.
    """
    if scores.ndim == 2:
        return F.cross_entropy(scores, labels)
    losses = F.cross_entropy(scores.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")  # (B, T)
    return (losses.sum(1) / (labels != IGNORED).sum(1).clamp(min=1)).mean()


def _no_loss(hidden: Tensor, rows: Tensor) -> Tensor:
    return hidden.new_zeros(())
