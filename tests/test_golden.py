"""The model and the task head give the numbers of OpenAI's 2018 code."""

import pytest
import torch
import torch.nn.functional as F
from golden import Golden

from gpt1viz.model import GPT1, TaskHead, lm_loss


@pytest.fixture(scope="module")
def golden():
    return Golden()


@pytest.fixture(scope="module")
def results(golden):
    """Our losses and logits at step 0: the model with its initial weights, before the first update."""
    model, head = GPT1(golden.config), TaskHead("choice", golden.config.n_embd, clf_pdrop=0.0)
    weights, head_weights = golden.weights("init")
    model.load_state_dict(weights)
    head.load_state_dict(head_weights)
    step = golden.step(0)
    ids = step.ids.flatten(0, 1)  # (12, T)
    with torch.no_grad():
        logits, hidden = model(ids, joint_softmax=True)
        scores = head(hidden.unflatten(0, step.ids.shape[:2]), step.extract)
        return {
            "lm_loss": lm_loss(logits, ids, step.mask.flatten(0, 1)),
            "clf_logits": scores,
            "clf_loss": F.cross_entropy(scores, step.y, reduction="none"),
            "apart": lm_loss(logits[..., : golden.config.n_rows], ids, step.mask.flatten(0, 1)),
        }


@pytest.mark.parametrize("name", ["lm_loss", "clf_loss", "clf_logits"])
def test_step_0(golden, results, name):
    wanted = getattr(golden.step(0), name)
    assert results[name].shape == wanted.shape
    assert (results[name] - wanted).abs().max() <= 1e-5


def test_the_positions_take_part_in_the_softmax_of_2018(golden, results):
    """Without the position rows the loss is clearly another one, so that the test above can tell them apart."""
    assert (results["apart"] - golden.step(0).lm_loss).abs().min() > 0.05


def test_positions_count_from_0_behind_the_token_rows(golden):
    positions = golden.step(0).positions
    assert torch.equal(positions, golden.config.n_rows + torch.arange(golden.config.n_ctx).expand_as(positions))


def test_every_parameter_of_2018_has_one_of_ours(golden):
    weights, head = golden.weights("after8")
    assert {name: w.shape for name, w in weights.items()} == {
        name: w.shape for name, w in GPT1(golden.config).state_dict().items()
    }
    assert {name: tuple(w.shape) for name, w in head.items()} == {"clf.weight": (1, 32), "clf.bias": (1,)}
