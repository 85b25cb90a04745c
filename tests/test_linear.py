"""Large matrices go another way to the same product."""

import pytest
import torch
import torch.nn.functional as F
from tiny import close

from gpt1viz.linear import LARGE, Linear, linear


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (13,)])
@pytest.mark.parametrize("n_out", [40, LARGE // 256 + 3])
def test_it_is_the_product(shape, n_out):
    """Below and above the size from which oneDNN takes over; one row and many."""
    layer, x = Linear(256, n_out), torch.randn(*shape, 256)
    with torch.no_grad():
        wanted = x.double() @ layer.weight.double().t() + layer.bias.double()
        assert close(layer(x).double(), wanted, 1e-6)
        assert close(linear(x, layer.weight).double(), wanted - layer.bias.double(), 1e-6)


def test_gradients_are_those_of_the_usual_product():
    layer, x = Linear(256, LARGE // 256 + 3), torch.randn(3, 256)
    ours = torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]
    theirs = torch.autograd.grad(F.linear(x, layer.weight, layer.bias).square().sum(), layer.weight)[0]
    assert torch.equal(ours, theirs)


def test_half_precision_and_views_of_other_matrices_work():
    weight, x = torch.randn(600, 512)[:, ::2][:, :256], torch.randn(2, 256)
    with torch.no_grad():
        assert close(linear(x, weight), x @ weight.t(), 1e-5)
        rows, biases = torch.randn(2 * LARGE // 256, 256), torch.randn(2 * LARGE // 256)
        for some in (rows[::2], rows[: LARGE // 256], rows[: LARGE // 256].t().contiguous().t()):
            assert close(linear(x, some, biases[::2]), x @ some.t() + biases[::2], 1e-5)
        half = linear(x.bfloat16(), torch.randn(LARGE // 256, 256).bfloat16())
    assert half.dtype == torch.bfloat16
