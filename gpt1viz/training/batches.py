"""Batches for pre-training: windows of the text, drawn at random, the same for a step whenever it is asked for."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import GPT1VizError


@dataclass(frozen=True)
class Windows:
    """Randomly sampled, contiguous sequences of n_ctx tokens (paper section 4.1) and the token after each.

    Args:
        ids: (N,) the whole stream of tokens, possibly mapped from disk.
        n_ctx: tokens that the model reads.
        batch_size: windows an update, over all its parts and processes.
        seed: with the step it determines the windows, so that a resumed run needs no state to go on.

    Raises:
        GPT1VizError: the stream is shorter than one window.
    """

    ids: np.ndarray
    n_ctx: int
    batch_size: int
    seed: int = 0

    def __post_init__(self):
        if len(self.ids) <= self.n_ctx:
            raise GPT1VizError("training_text_short", n=len(self.ids), n_ctx=self.n_ctx)

    def starts(self, step: int) -> np.ndarray:
        """Where the windows of update `step` begin, (batch_size,)."""
        draws = np.random.default_rng((self.seed, step))
        return draws.integers(len(self.ids) - self.n_ctx, size=self.batch_size)

    def batch(self, step: int, part: int = 0, n_parts: int = 1) -> Tensor:
        """Token rows (batch_size / n_parts, n_ctx + 1), the part-th share of the update's windows."""
        starts = self.starts(step)[part::n_parts]
        return torch.from_numpy(
            np.stack([self.ids[start : start + self.n_ctx + 1] for start in starts]).astype(np.int64)
        )
