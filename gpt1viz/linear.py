"""x W^T + b, as torch.nn.functional.linear computes it; large matrices on the CPU are read by oneDNN."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGE = 2**18  # entries of a matrix; below it, handing over costs more than it saves


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., in), weight (out, in), bias (out,) -> (..., out).

    torch's default, MKL, uses half of an AMD processor's width and one thread for a single row. oneDNN comes with
    torch too: at 117M it takes 40 to 70 % of the time, and differs by rounding. Gradients take the default.
    The operator is the one that compiled models call: it reads ordinary tensors, where `to_mkldnn` copies them.
    """
    if (
        not (x.is_cpu and weight.is_cpu and x.dtype == weight.dtype == torch.float32)
        or weight.numel() < LARGE
        or torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or not torch.backends.mkldnn.is_available()
    ):
        return F.linear(x, weight, bias)
    bias = None if bias is None else bias.contiguous()  # it reads the next number, not the next entry
    return torch.ops.mkldnn._linear_pointwise(x, weight.contiguous(), bias, "none", [], "")


def last_position(hidden: Tensor, rows: Tensor) -> Tensor:
    """A `head` for `GPT1.forward`: logits (B, 1, V) of what follows the last position only, of hidden (B, T, C)."""
    return linear(hidden[:, -1:], rows)


class Linear(nn.Linear):
    """nn.Linear by `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        """Numbers (..., in) -> (..., out)."""
        return linear(input, self.weight, self.bias)
