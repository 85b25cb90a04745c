"""Fine-tuning: losses as in 2018, what is transferred and frozen, the run directory, resuming, each kind of task."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from golden import Golden
from stores import tokenizer
from tiny import close
from tiny_run import CONFIG, losses, one_thread, same, weights  # noqa: F401 (a fixture)

from gpt1viz import load
from gpt1viz.checkpoints import Info, Loaded
from gpt1viz.data.task import Task, TextExample
from gpt1viz.errors import GPT1VizError
from gpt1viz.inputs import Batch
from gpt1viz.model import GPT1, TaskHead
from gpt1viz.training import files
from gpt1viz.training.finetune import FinetuneSettings, Shuffled, finetune, transferred, with_budget
from gpt1viz.training.metrics import accuracy
from gpt1viz.training.predict import evaluate_task
from gpt1viz.training.runs import read_run, request_stop
from gpt1viz.training.task_losses import TaskLosses, Tuned, clf_loss

ANIMALS, THINGS = ("fox", "hen", "cat", "rat"), ("den", "mat", "hat")
SHAPE = replace(CONFIG, n_ctx=16)


def start() -> Loaded:
    torch.manual_seed(5)
    model = GPT1(SHAPE).eval().requires_grad_(False)
    return Loaded(model, tokenizer(), Info("tiny", "tiny", "", "gpt1viz", "float32", SHAPE, SHAPE.n_params))


def example(kind: str, n: int) -> TextExample:
    """Whether the animal or the thing comes first; two words decide."""
    animal, thing, label = ANIMALS[n % 4], THINGS[n % 3], n % 2
    first, second = (animal, thing) if label else (thing, animal)
    return {
        "classification": TextExample((f"the {first} {second}",), label),
        "entailment": TextExample((f"the {first}", f"the {second}"), label),
        "similarity": TextExample((f"the {animal}", f"the {animal if label else thing}"), label),
        "choice": TextExample((f"the {animal} sat", "", f"on the {first}", f"on the {second}"), label),
        "token": TextExample((f"the {first} {second}",), (0, 1 + label, 2 - label)),
    }[kind]


def task(kind: str = "classification", metric: str = "accuracy") -> Task:
    labels = {"choice": (), "token": ("other", "thing", "animal")}.get(kind, ("no", "yes"))
    splits = {"train": range(24), "validation": range(24, 34), "test": range(34, 40)}
    made = {split: tuple(example(kind, n) for n in numbers) for split, numbers in splits.items()}
    return Task("order", kind, labels, metric, made)


def settings(**changes) -> FinetuneSettings:
    return FinetuneSettings(**{"batch_size": 8, "epochs": 2, "lr": 1e-2, "device": "cpu", **changes})


def run(path, kind="classification", *, callbacks=(), resume=False, **changes):
    return finetune(
        start(), task(kind), path, settings=settings(**changes), callbacks=callbacks, resume=resume, source={}
    )


def test_losses_are_those_of_2018():
    golden = Golden()
    model, head = GPT1(golden.config), TaskHead("choice", golden.config.n_embd)
    state, head_state = golden.weights()
    model.load_state_dict(state)
    head.load_state_dict(head_state)
    step = golden.step(0)
    coefficient = golden.settings["lm_coef"]
    found, scores = TaskLosses(coefficient, n_positions=golden.config.n_ctx)(
        Tuned(model.eval(), head.eval()), Batch(step.ids, step.mask, step.extract, step.y)
    )
    assert abs(found["clf_loss"] - step.clf_loss.mean()) <= 1e-5
    assert abs(found["lm_loss"] - step.lm_loss.mean()) <= 1e-5
    assert torch.isclose(found["loss"], found["clf_loss"] + coefficient * found["lm_loss"])
    assert close(scores, step.clf_logits)


def test_the_loss_of_tokens_is_a_mean_of_means():
    scores, labels = torch.randn(2, 4, 3), torch.tensor([[-100, 0, 2, -100], [-100, 1, -100, -100]])
    log_p = scores.log_softmax(-1)
    wanted = -((log_p[0, 1, 0] + log_p[0, 2, 2]) / 2 + log_p[1, 1, 1]) / 2
    assert torch.isclose(clf_loss(scores, labels), wanted)


def test_position_rows_past_the_longest_input_get_no_probability():
    tuned = Tuned(GPT1(replace(SHAPE, n_special=3)), TaskHead("classification", 12, ("no", "yes"))).eval()
    batch = Shuffled(task().lay_out("train", tokenizer(), tuned.model.config), 4).batch(1)
    short, long, apart = (
        TaskLosses(n_positions=n, joint_softmax=joint)(tuned, batch)[0]["lm_loss"]
        for n, joint in ((5, True), (16, True), (16, False))
    )
    assert apart < short < long


@pytest.mark.parametrize("n_transfer", [None, 2, 1, 0, -1])
def test_what_is_transferred(n_transfer):
    source = start().model
    config = replace(SHAPE, n_special=3)
    torch.manual_seed(1)
    made, own = transferred(source, config, n_transfer).state_dict(), source.state_dict()
    assert torch.equal(made["tokens_embed.weight"][:29], own["tokens_embed.weight"]) == (n_transfer != -1)
    assert torch.equal(made["positions_embed.weight"], own["positions_embed.weight"]) == (n_transfer != -1)
    assert made["tokens_embed.weight"][29:].std() < 0.04
    taken = 2 if n_transfer is None else n_transfer
    for layer in range(2):
        name = f"h.{layer}.mlp.c_fc.weight"
        assert torch.equal(made[name], own[name]) == (layer < taken)


@pytest.mark.parametrize("kind", ["classification", "entailment", "similarity", "choice", "token"])
def test_every_kind_of_task_is_learned(tmp_path, kind):
    outcome = run(tmp_path / "run", kind, epochs=40, dropout=0.0, clf_pdrop=0.0)
    assert (outcome.state, outcome.step) == ("finished", 120)
    first, *_, last = read_run(tmp_path / "run").metrics("eval")
    assert last["accuracy"] > max(0.85, first["accuracy"]) and last["clf_loss"] < first["clf_loss"]
    loaded = load(tmp_path / "run")
    assert loaded.task.kind == kind and loaded.task.labels == task(kind).labels
    again = evaluate_task(loaded, task(kind))
    assert again.numbers(task(kind))["accuracy"] == last["accuracy"]
    rows, _ = files.read_rows(tmp_path / "run" / "predictions.jsonl")
    assert [tuple(row["texts"]) for row in rows] == [e.texts for e in task(kind).splits["validation"]]
    for row, p in zip(rows, again.probabilities, strict=True):
        assert np.allclose(row["probabilities"], p, atol=2e-6)
        assert row["prediction"] == p.argmax(-1).tolist()
    if kind != "token":
        assert last["accuracy"] == accuracy([row["prediction"] for row in rows], [row["label"] for row in rows])
    assert files.read_json(tmp_path / "run" / "task.json")["kind"] == kind


def test_scores_are_predicted_as_means(tmp_path):
    of = replace(task("similarity", "pearson"), labels=("0", "1", "2"))
    graded = {s: tuple(replace(e, label=1.5 * e.label) for e in rows) for s, rows in of.splits.items()}
    of = replace(of, splits=graded)
    finetune(start(), of, tmp_path / "run", settings=settings(epochs=20, dropout=0.0))
    assert read_run(tmp_path / "run").metrics("eval")[-1]["pearson"] > 0.8
    rows, _ = files.read_rows(tmp_path / "run" / "predictions.jsonl")
    assert rows[0]["prediction"] == pytest.approx(np.dot(rows[0]["probabilities"], [0, 1, 2]), abs=1e-4)


def test_a_stopped_run_goes_on_to_the_bit(tmp_path):
    run(tmp_path / "whole")
    stop = lambda row, tuned: row["step"] == 4 and request_stop(tmp_path / "broken")  # noqa: E731
    assert run(tmp_path / "broken", callbacks=[stop]).state == "stopped"
    assert run(tmp_path / "broken", resume=True).state == "finished"
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    assert same(weights(tmp_path / "broken"), weights(tmp_path / "whole"))


def test_another_task_is_not_gone_on_with(tmp_path):
    run(tmp_path / "run", epochs=1)
    with pytest.raises(GPT1VizError, match="another text"):
        run(tmp_path / "run", "entailment", resume=True)


def test_frozen_blocks_stay_and_the_loss_of_language_can_be_left_out(tmp_path):
    run(tmp_path / "run", freeze=1, lm_coef=0.0)
    after, before = weights(tmp_path / "run"), start().model.state_dict()
    assert torch.equal(after["h.0.attn.c_attn.weight"], before["h.0.attn.c_attn.weight"])
    assert not torch.equal(after["h.1.attn.c_attn.weight"], before["h.1.attn.c_attn.weight"])
    row = read_run(tmp_path / "run").metrics("train")[-1]
    assert row["lm_loss"] == 0 and row["loss"] == row["clf_loss"]


def test_parts_of_a_batch_do_not_change_the_losses(tmp_path):
    for parts in (1, 4):
        run(tmp_path / str(parts), accumulate=parts, dropout=0.0, clf_pdrop=0.0, epochs=1)
    one, other = ([row["loss"] for row in read_run(tmp_path / str(n)).metrics("train")] for n in (1, 4))
    assert np.allclose(one, other, atol=1e-5)


def test_every_example_once_an_epoch():
    examples = task().lay_out("train", tokenizer(), replace(SHAPE, n_special=3))
    batches = Shuffled(examples, 8, seed=3)
    parts = [batches.batch(step) for step in (1, 2, 3)]
    seen = [tuple(row[m > 0].tolist()) for b in parts for row, m in zip(b.ids, b.mask, strict=True)]
    assert sorted(seen) == sorted(example.rows[0].ids for example in examples)
    assert not torch.equal(batches.batch(1).extract, batches.batch(4).extract)
    shares = [batches.batch(2, part, 2) for part in range(2)]
    assert sorted(torch.cat([b.extract for b in shares]).tolist()) == sorted(batches.batch(2).extract.tolist())


def test_epochs_and_their_end():
    assert with_budget(settings(epochs=3), 24).steps == 9 and with_budget(settings(), 24).eval_every == 3
    assert with_budget(settings(steps=5), 24).steps == 5
    paper, small = FinetuneSettings(), FinetuneSettings.suited(SHAPE)
    assert (paper.lr, paper.batch_size, paper.epochs, paper.lm_coef) == (6.25e-5, 32, 3, 0.5)
    assert small.lr > paper.lr and FinetuneSettings.suited(SHAPE, lr=1e-5).lr == 1e-5


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"batch_size": 25}, "24 of 25 examples"),
        ({"n_transfer": 3}, "2 blocks"),
        ({"freeze": 3}, "2 blocks"),
        ({"accumulate": 3}, "3 equal parts"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, changes, match):
    with pytest.raises(GPT1VizError, match=match):
        run(tmp_path / "run", **changes)


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"lm_coef": -1}, {"n_transfer": -2}, {"truncation": "half"}])
def test_settings_that_make_no_sense(changes):
    with pytest.raises(GPT1VizError, match=next(iter(changes))):
        settings(**changes)


def test_a_model_is_evaluated_on_its_own_kind_of_task(tmp_path):
    with pytest.raises(GPT1VizError, match="not been fine-tuned"):
        evaluate_task(start(), task())
    run(tmp_path / "run", steps=1)
    with pytest.raises(GPT1VizError, match="this task is entailment"):
        evaluate_task(load(tmp_path / "run"), task("entailment"))
    with pytest.raises(GPT1VizError, match="train, validation, test"):
        evaluate_task(load(tmp_path / "run"), task(), "dev")
