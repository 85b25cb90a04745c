"""Every row of the claims: it runs, it sees what holds, and it says so when the fact is broken."""

import json

import numpy as np
import pytest
import torch
from stores import tokenizer as small_tokenizer
from tiny import tiny_model

import gpt1viz
from gpt1viz import figures
from gpt1viz.analysis import speculative
from gpt1viz.claims import CLAIMS, attention, parts, report, run, training
from gpt1viz.claims.rows import VERDICTS
from gpt1viz.model import GPT1
from gpt1viz.text import strings
from gpt1viz.training.runs import read_run

SOURCES = {"books", "bert", "epochs", "webtext"}
CHECKED = [id for id, claim in CLAIMS.items() if claim.check]


@pytest.fixture(scope="module")
def found(bundled):
    return {id: run(id, bundled.model, bundled.tokenizer) for id in CHECKED}


def small(**changes):
    """A random model that fits the small vocabulary."""
    shape = {"n_vocab": 29, "n_special": 0, "n_ctx": 24, "n_embd": 24, "n_head": 3, "n_layer": 2}
    return tiny_model(**(shape | changes)), small_tokenizer()


def test_the_rows_are_those_of_the_notes():
    assert [claim.number for claim in CLAIMS.values()] == [*range(1, 22)]
    assert {id for id, claim in CLAIMS.items() if not claim.check} == SOURCES
    assert {CLAIMS[id].number for id in SOURCES} == {9, 13, 15, 21}
    for id, claim in CLAIMS.items():
        assert claim.verdict in VERDICTS and claim.id == id
        parts_ = {"claim", "holds", "source"} | ({"found"} if claim.check else set())
        assert {f"{id}_{part}" for part in parts_} <= strings("claims", "en").keys()
        assert claim.code or not claim.check


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("id", CLAIMS)
def test_every_row_is_told(id, lang, bundled, found):
    claim = CLAIMS[id]
    if id not in CHECKED:
        assert claim.words("source", lang) in report(id, bundled.model, bundled.tokenizer, lang)
        return
    assert found[id].seen is True and found[id].unfit is None
    sentence = claim.says(found[id], lang)
    assert "{" not in sentence and "nan" not in sentence
    if drawing := found[id].drawing:
        figure = getattr(figures, drawing.kind)(*drawing.named(lang), **drawing.words(lang), lang=lang)
        assert all(name in str(drawing.args) for name in drawing.labels)
        assert figure.data and f"{id}_caption" in strings("claims", lang)
        assert len({len(column) for column in drawing.columns.values()}) == 1


def test_what_is_measured_on_the_bundled_model(found):
    n = {id: result.numbers for id, result in found.items()}
    assert n["relu"]["relu"] > n["relu"]["gelu"] + 1
    assert n["vocabulary"]["merges"] == 3949 and n["vocabulary"]["entries"] == 4096
    assert n["parameters"]["arithmetic"] == n["parameters"]["module"] == 116_534_784
    assert n["parameters"]["embeddings"] == 31_087_104 + 393_216 and n["parameters"]["block"] == 7_087_872
    names, moved = found["first"].drawing.args
    assert moved[0] == 0 and (moved[1:] > 0).all() and len(names) == 24
    assert n["l3"]["share"] > 2 * n["l3"]["share_notes"] and n["l3"]["share"] > n["mixture"]["share_notes"]
    assert 0.9 < n["post_ln"]["post_ratio"] < 1.1 and n["post_ln"]["pre_ratio"] > 3
    assert 0.01 < n["tied"]["mass"] < 0.2
    assert n["auxiliary"]["with_lm"] == pytest.approx(74.65) and n["auxiliary"]["without"] == pytest.approx(75.025)
    assert n["scaling"]["entropy_off"] < n["scaling"]["entropy"] / 2
    assert (
        n["positions"]["learned"] < n["positions"]["none"] and n["positions"]["learned"] < n["positions"]["sinusoidal"]
    )
    assert n["draft"]["chance_draft"] < 0.001 < n["draft"]["chance"] and n["draft"]["passes"] < n["draft"]["tokens"]


def test_names_that_are_words_are_told_in_the_language(found):
    names, counts = found["parameters"].drawing.named("zh")
    assert names == ["token 行", "位置", "注意力", "MLP", "LayerNorm"] and counts.sum() == 116_534_784
    assert [*found["positions"].drawing.named("en")[1]] == ["learned", "sinusoids of 2017"]


def test_the_model_stays_as_it_is(bundled, found):
    assert found and not any(p.requires_grad or p.grad is not None for p in bundled.model.parameters())
    fresh = gpt1viz.load("storybook").model.state_dict()
    assert all(torch.equal(p, fresh[name]) for name, p in bundled.model.state_dict().items())


SWITCHES = {
    "relu": {"afn": "relu"},
    "segments": {"positions": "none"},
    "first": {"causal": False},
    "itself": {"causal": False},
    "post_ln": {"norm": "pre"},
    "positions": {"positions": "sinusoidal"},
}


@pytest.mark.parametrize("id", SWITCHES)
def test_a_check_sees_another_switch(id):
    model, tokenizer = small(**SWITCHES[id])
    assert CLAIMS[id].check(model, tokenizer).seen is False
    asked = run(id, model, tokenizer)
    assert asked.seen is None and asked.unfit == "unfit_switch"
    ((name, value),) = SWITCHES[id].items()
    assert name in CLAIMS[id].says(asked, "en") and str(value) in CLAIMS[id].says(asked, "zh")


def broken_losses(self, tuned, batch):
    losses, scores = SOUND(self, tuned, batch)
    return losses | {"loss": losses["lm_loss"] + self.lm_coef * losses["clf_loss"]}, scores


SOUND = training.TaskLosses.__call__
BROKEN = {
    "vocabulary": (parts, "N_SPECIAL", 2),
    "parameters": (parts.PAPER.__class__, "n_params", property(lambda self: 1)),
    "l3": (training.TaskLosses, "__call__", broken_losses),
    "last_only": (attention, "token_loss", lambda model, ids: torch.tensor(1.0)),
    "tied": (GPT1, "embedding_matrices", lambda self: (2 * self.tokens_embed.weight, self.positions_embed.weight)),
    "special": (parts, "transferred", lambda start, config: GPT1(config)),
    "auxiliary": (training, "TABLE_5", {"CoLA": (2.0, 1.0)}),
    "infinity": (attention, "MASKS", {"2018": -1e9, "port": -1.0, "notes": float("-inf")}),
    "draft": (speculative, "check", lambda p, q, proposed, draws: (proposed, proposed >= 0)),
}


@pytest.mark.parametrize("id", BROKEN)
def test_a_check_fails_when_the_fact_is_broken(id, bundled, monkeypatch):
    monkeypatch.setattr(*BROKEN[id])
    assert run(id, bundled.model, bundled.tokenizer).seen is False


TINY = [{}, {"norm": "pre"}, {"causal": False}, {"positions": "none"}, {"n_layer": 1, "n_head": 1}, {"n_special": 3}]


@pytest.mark.parametrize("changes", TINY, ids=str)
def test_every_row_runs_on_every_model(changes):
    model, tokenizer = small(**changes)
    for id in CHECKED:
        result = run(id, model, tokenizer)
        fits = all(getattr(model.config, name) == wanted for name, wanted in CLAIMS[id].needs.items())
        assert result.seen is (True if fits else None), (id, result)
        assert CLAIMS[id].says(result, "en")


def test_a_model_that_reads_too_little():
    model, tokenizer = small(n_ctx=7)
    for id in CHECKED:
        assert run(id, model, tokenizer).unfit == "unfit_context"
    model, tokenizer = small(n_ctx=8)
    assert all(run(id, model, tokenizer).seen for id in CHECKED)


def test_speculative_decoding_keeps_the_distribution_of_two_tokens():
    """Written from an exact draft and from a bad one: pairs of tokens against the model's own joint probabilities."""
    model, _ = small(n_vocab=4, n_embd=6, n_head=1)
    first = model(torch.tensor([[1]])).logits[0, -1].double().softmax(-1)
    second = torch.stack([model(torch.tensor([[1, k]])).logits[0, -1].double().softmax(-1) for k in range(4)])
    joint = (first[:, None] * second).flatten().numpy()  # (16,)
    even = torch.full((4,), 0.25, dtype=torch.float64)
    counts, passes, proposed, accepted = np.zeros(16), 0, 0, 0
    for seed in range(1500):
        written = speculative.write(model, lambda ids: even, [1], 2, n_ahead=2, seed=seed)
        counts[4 * written.ids[0] + written.ids[1]] += 1
        passes, proposed, accepted = passes + written.passes, proposed + written.proposed, accepted + written.accepted
    assert speculative.same_distribution(counts, joint) > 0.001
    assert speculative.same_distribution(counts, np.full(16, 1 / 16)) < 0.001
    assert 1500 < passes < 3000 and 0 < accepted < proposed


def test_a_perfect_draft_saves_every_pass_it_can():
    model, _ = small()

    def itself(ids):
        return model(torch.tensor([ids])).logits[0, -1].double().softmax(-1)

    written = speculative.write(model, itself, [3, 1], 10, n_ahead=4)
    assert len(written.ids) == 10 and written.passes == 2 and written.accepted == written.proposed == 8


def test_chi_square_against_the_table():
    assert speculative.same_distribution(np.array([58, 42]), np.array([0.5, 0.5])) == pytest.approx(0.1096, abs=1e-4)
    assert speculative.same_distribution(np.array([100.0]), np.array([1.0])) == 1
    rare = np.array([50, 47, 1, 1, 1]), np.array([0.5, 0.47, 0.01, 0.01, 0.01])
    assert speculative.same_distribution(*rare) == 1


def test_pairs_of_runs_that_differ_in_lambda(tmp_path):
    def made(name, lm_coef, reached, state="finished", **settings):
        folder = tmp_path / name
        folder.mkdir()
        config = gpt1viz.GPT1Config(n_vocab=29, n_ctx=24, n_embd=24, n_head=3, n_layer=2).to_dict()
        for file, content in {
            "status": {"state": state},
            "config": config,
            "task": {"name": "toy/mood", "metric": "accuracy"},
            "settings": {"kind": "finetune", "lm_coef": lm_coef, "seed": 0, **settings},
        }.items():
            (folder / f"{file}.json").write_text(json.dumps(content))
        row = {"kind": "eval", "accuracy": reached}
        (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
        return read_run(folder)

    runs = [
        made("a", 0.5, 0.8),
        made("b", 0.0, 0.75),
        made("c", 1.0, 0.9, seed=1),
        made("d", 0.0, 0.1, state="stopped", seed=1),
    ]
    [pair] = training.measured_pairs(runs)
    assert pair == {
        "task": "toy/mood",
        "metric": "accuracy",
        "low": 0.0,
        "high": 0.5,
        "without": 0.75,
        "with_lm": 0.8,
    }
    assert training.measured_pairs(runs[:1]) == []
