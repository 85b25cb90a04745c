"""What training costs before it is begun, by a short probe on this machine; the arithmetic is analysis/costs.py's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from ..analysis.costs import BYTES_A_PARAMETER, flops_a_token
from ..config import GPT1Config
from ..model import GPT1
from .devices import autocast, pick_device
from .losses import token_loss
from .optim import make_optimizer
from .settings import TrainSettings


@dataclass(frozen=True)
class Cost:
    """Of a training run.

    Attributes:
        n_params: parameters, the tied head counted once.
        flops_a_token: see analysis.costs.
        memory: bytes of weights, gradients, optimiser and what the backward pass needs.
        seconds_a_step: measured.
        tokens_a_second: measured.
    """

    n_params: int
    flops_a_token: int
    memory: int
    seconds_a_step: float
    tokens_a_second: float


def probe(config: GPT1Config, settings: TrainSettings, n_steps: int = 3) -> Cost:
    """Train for a few updates on noise and look at the clock. Takes as long as these updates, and the memory."""
    device = pick_device(settings.device)
    torch.manual_seed(settings.seed)
    model = GPT1(config).to(device)
    optimizer = make_optimizer(settings.optimizer, model, settings.lr, settings.betas, settings.weight_decay)
    rows = torch.randint(config.n_rows, (settings.batch_size // settings.accumulate, config.n_ctx + 1), device=device)
    seconds, kept = [], _Kept()
    for n in range(n_steps + 1):
        began = time.perf_counter()
        for _ in range(settings.accumulate):
            with kept.count() if n == 0 else autocast(device, settings.precision):
                loss = token_loss(model, rows)
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - began)
    step = median(seconds[1:])  # the first one warms up
    tokens = settings.batch_size * config.n_ctx
    memory = BYTES_A_PARAMETER * config.n_params + kept.bytes
    return Cost(config.n_params, flops_a_token(config), memory, step, tokens / step)


class _Kept:
    """Counts the bytes that a forward pass keeps for the backward pass, each storage once."""

    def __init__(self):
        self._storages: dict[int, int] = {}

    @property
    def bytes(self) -> int:
        return sum(self._storages.values())

    def count(self):
        def pack(tensor: Tensor) -> Tensor:
            if not tensor.is_leaf:
                storage = tensor.untyped_storage()
                self._storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        return torch.autograd.graph.saved_tensors_hooks(pack, _same)


_same: Callable[[Tensor], Tensor] = lambda tensor: tensor  # noqa: E731
