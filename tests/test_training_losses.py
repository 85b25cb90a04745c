"""The loss that never holds all logits is the plain one: values, gradients, weights, extremes, the 2018 loss."""

import pytest
import torch
import torch.nn.functional as F
from tiny import close, random, random_ids, tiny_model

from gpt1viz.model import lm_loss
from gpt1viz.training import losses
from gpt1viz.training.losses import cross_entropy, token_loss


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """So that there are several, the last one shorter."""
    monkeypatch.setattr(losses, "CHUNK", 4)


def operands(n=11, c=5, v=7, dtype=torch.float32):
    hidden, rows = random(n, c, seed=1).to(dtype), random(v, c, seed=2).to(dtype)
    return hidden.requires_grad_(), rows.requires_grad_(), random_ids(n, seed=3, high=v)


def plain(hidden, rows, targets, weights=None):
    each = F.cross_entropy(hidden @ rows.t(), targets, reduction="none")
    return each.mean() if weights is None else (each * weights).sum()


@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradients(weighted):
    hidden, rows, targets = operands()
    weights = random(11, seed=4).abs() if weighted else None
    found, wanted = cross_entropy(hidden, rows, targets, weights), plain(hidden, rows, targets, weights)
    assert close(found.detach(), wanted.detach(), 1e-6)
    ours, theirs = torch.autograd.grad(3 * found, (hidden, rows)), torch.autograd.grad(3 * wanted, (hidden, rows))
    assert all(close(a, b, 1e-6) for a, b in zip(ours, theirs, strict=True))


def test_gradients_by_differences():
    hidden, rows, targets = operands(dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda h, r: cross_entropy(h, r, targets), (hidden, rows))


def test_logits_of_any_size():
    """A target whose probability is 0 in float32 still has a finite loss."""
    hidden, rows = torch.tensor([[300.0], [-300.0]]), torch.tensor([[1.0], [-1.0], [0.5]])
    targets = torch.tensor([1, 2])
    assert close(cross_entropy(hidden, rows, targets), plain(hidden, rows, targets))
    assert plain(hidden, rows, targets) > 300


def test_what_is_not_finite_shows():
    hidden, rows, targets = operands()
    hidden.data[7, 0] = torch.nan
    assert cross_entropy(hidden, rows, targets).isnan()


def test_in_mixed_precision():
    """Products in bfloat16 (8 bits), sums and gradients in float32."""
    hidden, rows, targets = operands()
    with torch.autocast("cpu", torch.bfloat16):
        found = cross_entropy(hidden, rows, targets)
    wanted = plain(hidden, rows, targets)
    assert found.dtype == torch.float32
    assert close(found.detach(), wanted.detach(), 0.02)
    ours, theirs = torch.autograd.grad(found, (hidden, rows)), torch.autograd.grad(wanted, (hidden, rows))
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == torch.float32 and close(a, b, 0.02)


def test_of_a_model():
    model = tiny_model().requires_grad_(True)
    ids = random_ids(2, 6, high=29)
    loss, wanted = token_loss(model, ids), lm_loss(model(ids).logits, ids).mean()
    assert close(loss.detach(), wanted.detach(), 1e-6)
    ours = torch.autograd.grad(loss, list(model.parameters()))
    for found, right in zip(ours, torch.autograd.grad(wanted, list(model.parameters())), strict=True):
        assert (found - right).abs().max() < 1e-6


def test_without_gradients():
    model, ids = tiny_model(), random_ids(2, 6, high=29)
    with torch.no_grad():
        loss = token_loss(model.requires_grad_(True), ids)
    assert not loss.requires_grad
    assert close(loss, lm_loss(model(ids).logits, ids).mean().detach())
