"""The paper's zero-shot heuristics: against direct computation, with known answers, and during pre-training."""

from functools import cache

import numpy as np
import pytest
import torch
from stores import TEXT, tokenizer
from tiny import tiny_model
from tiny_run import TinyText, one_thread, settings  # noqa: F401 (a fixture)

from gpt1viz import cli
from gpt1viz.data.task import Task, TextExample
from gpt1viz.data.tasks import load_task
from gpt1viz.errors import GPT1VizError
from gpt1viz.model import GPT1
from gpt1viz.tokenizer import NEWLINE_ENTRY, Tokenizer
from gpt1viz.training import losses
from gpt1viz.training.pretrain import pretrain
from gpt1viz.training.runs import read_run
from gpt1viz.training.zero_shot import (
    acceptability,
    choice,
    log_probabilities,
    pronoun,
    ranked_rightly,
    sentiment,
    zero_shot,
)

PAIRS = [
    ("", "the fox ran"),
    ("the cat sat on", "the mat"),
    ("the hat", "on"),
    ("the fox and the hen ran to the den . the cat", "sat on"),  # too long: its beginning is left out
    ("the cat", "the fox and the hen ran to the den . the cat sat on"),  # itself longer than the model reads
]


def model(seed: int = 0) -> GPT1:
    return tiny_model(seed, n_special=0)


def directly(model, before: str, text: str) -> tuple[float, int]:
    """Token by token, each from its own pass over what precedes it."""
    ids = tokenizer().encode(text)
    row = [tokenizer().row(NEWLINE_ENTRY), *tokenizer().encode(before), *ids][-12:]
    n = min(len(ids), 11)
    total = 0.0
    for at in range(len(row) - n, len(row)):
        total += model(torch.tensor([row[:at]])).logits[0, -1].log_softmax(-1)[row[at]].item()
    return total, n


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_log_probabilities_are_those_of_single_passes(batch_size, monkeypatch):
    """Whatever shares the batch and however it is padded, cut and taken in portions."""
    monkeypatch.setattr("gpt1viz.training.zero_shot.CHUNK", 3)
    totals, counts = log_probabilities(model(), tokenizer(), PAIRS, batch_size)
    wanted = [directly(model(), *pair) for pair in PAIRS]
    assert totals == pytest.approx([total for total, _ in wanted], rel=1e-5)
    assert counts.tolist() == [n for _, n in wanted] and len(set(counts.tolist())) > 2
    assert max(counts) == 11 and losses.CHUNK == 512


def test_what_is_beside_a_text_changes_nothing():
    alone = [log_probabilities(model(), tokenizer(), [pair])[0][0] for pair in PAIRS]
    assert log_probabilities(model(), tokenizer(), PAIRS[::-1], 5)[0][::-1] == pytest.approx(alone, rel=1e-5)


def test_the_heuristics():
    m, t = model(), tokenizer()
    found = acceptability(m, t, ["the fox ran", "the hat"])
    assert found == pytest.approx([total / n for total, n in (directly(m, "", x) for x in ("the fox ran", "the hat"))])
    found = sentiment(m, t, ["the cat sat", "the hen"], words=("ran", "hat", "on"), cue="and")
    wanted = [[directly(m, f"{x} and", word)[0] for word in ("ran", "hat", "on")] for x in ("the cat sat", "the hen")]
    assert found == pytest.approx(np.array(wanted), rel=1e-5)
    assert len(t.encode("on")) == 1 < len(t.encode("hat mat"))
    found = choice(m, t, ["the cat", "the hen"], [("sat", "ran to the den"), ("on the mat", "ran")])
    wanted = [("the cat", "sat"), ("the cat", "ran to the den"), ("the hen", "on the mat"), ("the hen", "ran")]
    means = [total / n for total, n in (directly(m, *pair) for pair in wanted)]
    assert found == pytest.approx(np.array(means).reshape(2, 2), rel=1e-5)
    found = pronoun(m, t, ["the hen saw the cat as _ ran to the den"], [("the hen", "the cat")])
    means = [directly(m, f"the hen saw the cat as {who}", "ran to the den") for who in ("the hen", "the cat")]
    assert found == pytest.approx(np.array([[total / n for total, n in means]]), rel=1e-5)


def test_nothing_to_score():
    with pytest.raises(GPT1VizError) as fault:
        choice(model(), tokenizer(), ["the cat"], [("sat", " ")])
    assert fault.value.code == "no_tokens"


def test_ranking():
    assert ranked_rightly(np.array([3.0, 1.0, 2.0]), np.array([1, 0, 0])) == 1
    assert ranked_rightly(np.array([3.0, 1.0, 2.0]), np.array([0, 1, 0])) == 0
    assert ranked_rightly(np.array([1.0, 1.0, 2.0, 0.0]), np.array([1, 0, 0, 0])) == pytest.approx(1.5 / 3)
    assert ranked_rightly(np.array([1.0, 2.0]), np.array([1, 1])) == 0.5


# ---- a model that knows


@cache
def words() -> Tokenizer:
    """Every word is one token."""
    return Tokenizer.train([TEXT] * 3, 400)


def pairs_model(follows: dict[str, str]) -> GPT1:
    """Rows are one-hot, attention adds nothing, and the MLP sends some words to the row of the word that follows."""
    n = words().n_vocab
    width = n + n % 2
    m = tiny_model(n_vocab=n, n_special=0, n_embd=width, n_head=2, n_layer=1, norm="pre", positions="none")
    with torch.no_grad():
        for parameter in m.parameters():
            parameter.zero_()
        m.tokens_embed.weight.copy_(torch.eye(n, width))
        for norm in (m.h[0].ln_1, m.h[0].ln_2, m.ln_f):
            norm.weight.fill_(1.0)
        for left, right in follows.items():
            [a], [b] = words().encode(left), words().encode(right)
            m.h[0].mlp.c_fc.weight[a, a] = 4.0
            m.h[0].mlp.c_proj.weight[b, a] = 4.0
    return m


def task(kind: str, examples, labels=(), metric="accuracy") -> Task:
    rows = tuple(TextExample(texts, label) for texts, label in examples)
    return Task("known", kind, labels, metric, {"train": rows, "validation": rows})


def test_known_answers():
    m = pairs_model({"fox": "ran", "cat": "sat", "ran": "to", "sat": "on", "and": "the"})
    endings = [
        (("the fox", "", "ran", "sat"), 0),
        (("the cat", "", "ran", "sat"), 1),
        (("the", "cat", "sat", "ran"), 0),
    ]
    assert zero_shot(task("choice", endings), words())(m) == {"zero_shot_known": 1.0}
    wrong = [(texts, 1 - label) for texts, label in endings[:2]] + endings[2:]
    assert zero_shot(task("choice", wrong), words())(m) == {"zero_shot_known": pytest.approx(1 / 3)}
    schemas = [(("the _ ran to", "", "cat", "fox"), 1), (("the _ sat on", "", "cat", "fox"), 0)]
    assert zero_shot(task("choice", schemas), words())(m) == {"zero_shot_known": 1.0}
    good = [(("fox ran to",), 1), (("cat sat on",), 1), (("ran on sat",), 0), (("to cat ran fox",), 0)]
    assert zero_shot(task("classification", good, ("0", "1"), "matthews"), words())(m) == {"zero_shot_known": 1.0}


def test_known_moods():
    """The hand-built model reads the cue alone, so that it gives all texts the class that follows the cue."""
    found = sentiment(pairs_model({"and": "cat"}), words(), ["the fox", "the hen"], words=("hat", "cat"), cue="and")
    assert found.shape == (2, 2) and (found.argmax(1) == 1).all()
    moods = task("classification", [(("the fox",), 1), (("the hen",), 1), (("the den",), 0)], ("hat", "cat"))
    m, [cat] = pairs_model({}), words().encode("cat")
    assert words().encode("very")[-1] == 0  # no word of this vocabulary: it ends in the unknown token
    with torch.no_grad():
        m.h[0].mlp.c_fc.weight[0, 0] = m.h[0].mlp.c_proj.weight[cat, 0] = 4.0
    assert zero_shot(moods, words())(m) == {"zero_shot_known": pytest.approx(2 / 3)}


def test_tasks_that_cannot_be_done():
    for of in (
        task("entailment", [(("the", "a"), 0)], ("no", "yes")),
        task("classification", [(("a",), 0)], ("0", "1")),
        task("classification", [(("a",), 1.5)], ("0", "1", "2"), "pearson"),
    ):
        with pytest.raises(GPT1VizError) as fault:
            zero_shot(of, words())
        assert fault.value.code == "zero_shot_task" and fault.value.message("zh")


def test_examples_are_spread_over_the_split():
    every = [(("the fox", "", "ran", "sat"), k % 2 if k < 50 else 0) for k in range(100)]
    some = zero_shot(task("choice", every), words(), most=10)(pairs_model({"fox": "ran"}))
    assert some == {"zero_shot_known": 1.0}  # 0, 10, 20, ...: all of them even


# ---- during pre-training


def test_in_the_rows_of_a_run(tmp_path):
    config = model().config
    tasks = [zero_shot(load_task(name), tokenizer(), most=20) for name in ("toy/mood", "toy/endings")]
    outcome = pretrain(
        config,
        TinyText(),
        tokenizer(),
        tmp_path / "run",
        settings=settings(steps=4, eval_every=2),
        evaluations=tasks,
    )
    rows = read_run(tmp_path / "run").metrics("eval")
    assert [row["step"] for row in rows] == [0, 2, 4]
    last = rows[-1]
    assert {name: last[name] for name in last if name.startswith("zero")} == tasks[0](outcome.module) | tasks[1](
        outcome.module
    )
    assert all(0 < row["zero_shot_toy/mood"] < 1 for row in rows)


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "story.txt").write_text("the fox ran to the den .\n" * 90)
    (tmp_path / "mine.jsonl").write_text('{"context": "a _ ran", "answers": ["fox", "hat"], "label": 0}\n' * 20 + "\n")
    small = [f"--set={c}" for c in ("n_layer=1", "n_embd=12", "n_head=3", "n_ctx=11", "vocabulary=29", "eval_every=1")]
    tried = ["--zero-shot", "mine.jsonl"]
    run = ["train", "story.txt", "--run", "run", "--steps", "1", *tried, *small, "--set=sample_every=0"]
    assert cli.main(run) == 2  # one class only
    assert "every label is '0'" in capsys.readouterr().err and not (tmp_path / "run").exists()
    with (tmp_path / "mine.jsonl").open("a") as file:
        file.write('{"context": "a _ sat", "answers": ["fox", "hat"], "label": 1}\n' * 20)
    assert cli.main(run) == 0
    assert cli.main(["train", "--resume", "run", "--steps", "2"]) == 0  # the run remembers
    rows = read_run(tmp_path / "run").metrics("eval")
    assert [row["step"] for row in rows if "zero_shot_mine" in row] == [0, 1, 2]
    assert read_run(tmp_path / "run").settings["source"]["zero_shot"] == [str(tmp_path / "mine.jsonl")]
