"""OpenAIAdam, the schedule and the losses repeat the updates that OpenAI's 2018 code made, to the last one stored."""

import re

import pytest
import torch.nn.functional as F
from golden import Golden
from torch import nn

from gpt1viz.model import GPT1, TaskHead, lm_loss
from gpt1viz.training.optim import make_optimizer
from gpt1viz.training.schedules import SCHEDULES


class Replay:
    """Losses before each update and weights after each, by our names, of a replay of the file."""

    def __init__(self, golden: Golden, optimizer_name: str = "openai_adam"):
        settings = golden.settings
        assert settings["opt"] == "adam"
        self.n_steps = len({name.split("/")[0] for name in golden.arrays if name.startswith("step")})
        model, head = GPT1(golden.config), TaskHead("choice", golden.config.n_embd, clf_pdrop=0.0)
        weights, head_weights = golden.weights("init")
        model.load_state_dict(weights)
        head.load_state_dict(head_weights)
        both = nn.ModuleList([model, head])
        optimizer = make_optimizer(
            optimizer_name, both, settings["lr"], (settings["b1"], settings["b2"]), settings["l2"]
        )
        for group in optimizer.param_groups:
            group["eps"] = settings["e"]
            group["weight_decay"] = settings["l2"] if settings["vector_l2"] else group["weight_decay"]
        schedule = SCHEDULES[settings["lr_schedule"]]
        self.clf_losses, self.lm_losses, self.weights = [], [], []
        for k in range(self.n_steps):
            step = golden.step(k)
            ids = step.ids.flatten(0, 1)  # (examples * 2, T)
            logits, hidden = model(ids, joint_softmax=True)
            scores = head(hidden.unflatten(0, step.ids.shape[:2]), step.extract)
            clf_loss = F.cross_entropy(scores, step.y, reduction="none")
            language_loss = lm_loss(logits, ids, step.mask.flatten(0, 1))
            (clf_loss.mean() + settings["lm_coef"] * language_loss.mean()).backward()
            nn.utils.clip_grad_norm_(both.parameters(), settings["max_grad_norm"])
            for group in optimizer.param_groups:
                group["lr"] = settings["lr"] * schedule((k + 1) / settings["n_updates_total"], settings["lr_warmup"])
            optimizer.step()
            optimizer.zero_grad()
            self.clf_losses.append(clf_loss.detach())
            self.lm_losses.append(language_loss.detach())
            self.weights.append({name: p.detach().clone() for m in both for name, p in m.named_parameters()})


@pytest.fixture(scope="module")
def golden():
    return Golden()


@pytest.fixture(scope="module")
def replay(golden):
    return Replay(golden)


def farthest(golden: Golden, replay: Replay) -> float:
    """The largest difference to any weight stored, `after1` and later ones.

    Left out is what has no gradient, where Adam walks on rounding noise: clf's bias and the keys' part of c_attn's.
    """
    n_embd, found = golden.config.n_embd, [0.0]
    for when in {name.split("/")[0] for name in golden.arrays if re.match(r"after\d+/", name)}:
        ours = replay.weights[int(when.removeprefix("after")) - 1]
        weights, head_weights = golden.weights(when)
        for name, wanted in (weights | head_weights).items():
            difference = (ours[name] - wanted).abs()
            if name.endswith("c_attn.bias"):
                difference[n_embd : 2 * n_embd] = 0
            if name != "clf.bias":
                found.append(difference.max().item())
    return max(found)


def test_losses_before_every_update(golden, replay):
    assert replay.n_steps >= 8
    for k in range(replay.n_steps):
        step = golden.step(k)
        assert (replay.clf_losses[k] - step.clf_loss).abs().max() <= 1e-5
        assert (replay.lm_losses[k] - step.lm_loss).abs().max() <= 1e-5


def test_weights_after_updates(golden, replay):
    assert {"after1/model/we:0", "after8/model/we:0"} <= golden.arrays.keys()
    assert farthest(golden, replay) <= 5e-6


def test_another_adam_ends_elsewhere(golden):
    """So that the test above would notice if ours were AdamW."""
    assert farthest(golden, Replay(golden, "adamw")) > 1e-5
