"""The optimisers: Adam as the 2018 code has it, and PyTorch's AdamW, fused where there is such a kernel."""

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import GPT1VizError


class OpenAIAdam(Optimizer):
    """Adam with decoupled weight decay as in `opt.py` of 2018. At update t = 1, 2, ...

        m = b1 m + (1 - b1) g;    v = b2 v + (1 - b2) g^2
        p = p - lr sqrt(1 - b2^t) / (1 - b1^t) * (m / (sqrt(v) + eps) + weight_decay p)

    It differs from AdamW in two ways: eps is added before the bias correction, and the correction scales the decay too.
    The schedule's factor and the clipping of gradients are the training loop's.

    Args:
        params: parameters, or groups as `parameter_groups` makes them: 2018 decays matrices only.
        lr: rate of the update to come; the loop sets it in each group.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 6.25e-5,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update every parameter that has a gradient."""
        assert closure is None, "OpenAIAdam evaluates nothing again"
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, p.grad, group)

    def _update(self, p: Tensor, g: Tensor, group: dict) -> None:
        (b1, b2), state = group["betas"], self.state[p]
        if not state:
            state |= {"step": torch.zeros(()), "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        state["step"] += 1
        t, m, v = state["step"].item(), state["exp_avg"], state["exp_avg_sq"]
        m.lerp_(g, 1 - b1)
        v.mul_(b2).addcmul_(g, g, value=1 - b2)
        change = m / v.sqrt().add_(group["eps"])
        if group["weight_decay"]:
            change.add_(p, alpha=group["weight_decay"])
        p.sub_(change, alpha=group["lr"] * math.sqrt(1 - b2**t) / (1 - b1**t))


OPTIMIZERS = ("adamw", "openai_adam")


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """What is trained, in two groups: matrices and embeddings with decay, biases and gains without (section 4.1)."""
    trained = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1]
    vectors = [p for p in trained if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def make_optimizer(
    name: str, module: nn.Module, lr: float, betas: tuple[float, float], weight_decay: float
) -> Optimizer:
    """An optimiser of OPTIMIZERS over what `module` trains."""
    groups = parameter_groups(module, weight_decay)
    if name == "openai_adam":
        return OpenAIAdam(groups, lr=lr, betas=betas)
    fused = groups[0]["params"][0].device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=1e-8, fused=fused)


def save_optimizer(optimizer: Optimizer, module: nn.Module, path: Path) -> None:
    """Write the state of each parameter as tensors named "PARAMETER/KEY", e.g. "h.0.ln_1.bias/exp_avg"."""
    names = {id(p): name for name, p in module.named_parameters()}
    tensors = {
        f"{names[id(p)]}/{key}": value.detach().cpu().contiguous()
        for p, state in optimizer.state.items()
        for key, value in state.items()
    }
    save_file(tensors, path)


def load_optimizer(optimizer: Optimizer, module: nn.Module, path: Path) -> None:
    """The inverse of `save_optimizer`, onto the parameters' devices.

    Raises:
        GPT1VizError: the file is damaged or of another model.
    """
    names = {id(p): name for name, p in module.named_parameters()}
    state: dict[int, dict[str, Tensor]] = {}
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as fault:
        raise GPT1VizError("checkpoint_damaged", path=path, fault=fault) from None
    for number, p in enumerate(p for group in optimizer.param_groups for p in group["params"]):
        prefix = names[id(p)] + "/"
        state[number] = {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}
        if any(x.ndim and x.shape != p.shape for x in state[number].values()):
            raise GPT1VizError("checkpoint_damaged", path=path, fault=prefix)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": {n: s for n, s in state.items() if s}, "param_groups": groups})
