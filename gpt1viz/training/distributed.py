"""One process or several: plain DistributedDataParallel under torchrun, which starts the processes and names them."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.nn.functional
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from .devices import pick_device

# torch.distributed.nn.functional keeps, as a default, the group of the moment it is imported, and torch imports it late
# by itself: gloo's threads then outlive the group, and now and then end the process with SIGABRT. Here it keeps none.

PATIENCE = timedelta(hours=12)  # that the others wait for the main process, which downloads and encodes the text


@dataclass(frozen=True)
class World:
    """The processes that train together: this one's number, how many they are, and this one's device."""

    rank: int
    size: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and decides."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over the processes."""
        return DistributedDataParallel(module) if self.size > 1 else module

    def exchange(self, wrapped: nn.Module, last: bool) -> AbstractContextManager:
        """The processes exchange gradients in the backward pass of an update's last part only."""
        return nullcontext() if last or self.size == 1 else wrapped.no_sync()  # pyright: ignore

    def agreed(self, value: float | None) -> float | None:
        """What the main process says, None or a number."""
        if self.size == 1:
            return value
        told = torch.tensor(float("nan") if value is None else value, dtype=torch.float64, device=self.device)
        dist.broadcast(told, 0)
        return None if told.isnan() else told.item()

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over the processes."""
        if self.size > 1:
            dist.all_reduce(values)
            values /= self.size
        return values

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()

    def seed(self, seed: int, step: int) -> None:
        """Randomness (dropout) of a step depends on the seed, the step and the process only.

        So a resumed run needs no generator's state, and nothing that an evaluation draws changes what follows.
        """
        state = np.random.SeedSequence((seed, step, self.rank)).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]))


@contextmanager
def joined(device: str = "auto") -> Iterator[World]:
    """The world of this process. Under torchrun it joins the others, and leaves them at the end.

    Raises:
        GPT1VizError: there is no such device.
    """
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if size == 1:
        yield World(0, 1, pick_device(device))
        return
    here = pick_device(device)
    if here.type == "cuda":
        here = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(here)
    mine = not dist.is_initialized()
    if mine:
        dist.init_process_group("nccl" if here.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield World(rank, size, here)
    finally:
        if mine:
            dist.destroy_process_group()
