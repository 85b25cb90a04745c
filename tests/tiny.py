"""A model small enough for tests; B, T, H, D, C, F, V, L and n_ctx all differ, so that no two axes can be confused."""

import torch

from gpt1viz.config import GPT1Config
from gpt1viz.model import GPT1

B, T, H, D, C, F, V, L, N_CTX = 2, 5, 3, 4, 12, 48, 31, 6, 11
CONFIG = GPT1Config(n_vocab=29, n_special=2, n_ctx=N_CTX, n_embd=C, n_layer=L, n_head=H)


def tiny_model(seed: int = 0, **changes) -> GPT1:
    """A random model in eval mode, the same whenever the seed is.

    Its matrices are ten times as large as GPT-1's at the start and its vectors not 0 or 1, so that attention is far
    from uniform and a forgotten bias or gain shows.
    """
    model = GPT1(GPT1Config(**(CONFIG.to_dict() | changes)))
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=draws)
            parameter.copy_(0.2 * noise if parameter.ndim > 1 else parameter + 0.1 * noise)
    return model.eval().requires_grad_(False)


def random_ids(*shape: int, seed: int = 0, high: int = V) -> torch.Tensor:
    return torch.randint(high, shape or (B, T), generator=torch.Generator().manual_seed(seed))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def close(found: torch.Tensor, wanted: torch.Tensor, tolerance: float = 1e-5) -> bool:
    """Equal within `tolerance` of the wanted values' scale (their largest magnitude)."""
    assert found.shape == wanted.shape
    return bool((found - wanted).abs().max() <= tolerance * wanted.abs().max())
