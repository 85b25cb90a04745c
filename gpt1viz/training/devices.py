"""Where training runs and in which precision."""

from contextlib import AbstractContextManager, nullcontext

import torch

from ..errors import GPT1VizError

PRECISIONS = ("auto", "float32", "bfloat16")


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" is CUDA where there is one, else Apple's GPU, else the CPU.

    Raises:
        GPT1VizError: there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as fault:  # torch has no narrower base for "no such device"
        raise GPT1VizError("device", device=name, fault=str(fault).partition("\n")[0]) from fault
    return device


def autocast(device: torch.device, precision: str = "auto") -> AbstractContextManager:
    """Mixed precision: matrix products in bfloat16, sums and weights in float32.

    "auto" takes it on CUDA devices that have it in hardware. On a CPU it is never the default: without special
    instructions bfloat16 products run a hundred times slower than float32's.
    """
    if precision == "auto":
        able = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        precision = "bfloat16" if able else "float32"
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
