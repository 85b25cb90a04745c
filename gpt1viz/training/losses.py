"""The language-model loss without its logits: the largest tensor of a training step, and only passed through."""

import torch
from torch import Tensor

from ..model import GPT1

CHUNK = 512  # tokens whose logits are held at a time


class _CrossEntropy(torch.autograd.Function):
    """sum_n weights_n * -log softmax(hidden_n rows^T)[targets_n], whose gradients are computed on the way forward.

    With p = softmax(z) the gradient by the logits z is weights_n (p - onehot(targets_n)): it needs nothing that comes
    later, so each chunk's logits turn into its gradients and are forgotten.
    """

    @staticmethod
    def forward(ctx, hidden: Tensor, rows: Tensor, targets: Tensor, weights: Tensor, learn: bool) -> Tensor:
        total = weights.new_zeros(())
        d_hidden, d_columns = torch.empty_like(hidden), rows.new_zeros(rows.shape[::-1])  # (N, C), (C, V)
        for start in range(0, len(hidden), CHUNK):
            chunk = slice(start, start + CHUNK)
            h, y, w = hidden[chunk], targets[chunk, None], weights[chunk, None]
            z = h @ rows.t()  # (n, V)
            highest, wanted = z.amax(1, keepdim=True), z.gather(1, y)
            p = z.softmax(1)  # (n, V)
            log_sum = highest - p.amax(1, keepdim=True).log()  # the largest p is at least 1 / V: no underflow
            total += ((log_sum - wanted) * w).sum()
            if learn:
                p.scatter_add_(1, y, p.new_full(y.shape, -1.0))
                d_hidden[chunk] = (p @ rows) * w
                d_columns += (h * w).t() @ p  # (C, V)
        ctx.save_for_backward(d_hidden, d_columns)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        d_hidden, d_columns = ctx.saved_tensors
        return d_hidden * grad, (d_columns * grad).t(), None, None, None


def cross_entropy(hidden: Tensor, rows: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """What `F.cross_entropy(hidden @ rows.T, targets)` gives, in a fraction of its memory and time.

    Args:
        hidden: (..., C).
        rows: (V, C).
        targets: (...), rows' numbers.
        weights: (...), factor on each token's loss; the mean of all by default.
    """
    if weights is None:
        dtype = torch.promote_types(hidden.dtype, torch.float32)
        weights = torch.full_like(targets, 1 / targets.numel(), dtype=dtype)
    learn = torch.is_grad_enabled() and (hidden.requires_grad or rows.requires_grad)
    loss = _CrossEntropy.apply(hidden.flatten(0, -2), rows, targets.flatten(), weights.flatten(), learn)
    assert isinstance(loss, Tensor)
    return loss


def token_loss(model: GPT1, ids: Tensor) -> Tensor:
    """Mean -log P of tokens 1 to T given those before, in nats; ids (B, T + 1). The paper's L1, its sign turned."""
    return model(ids[:, :-1], head=lambda hidden, rows: cross_entropy(hidden, rows, ids[:, 1:])).logits
