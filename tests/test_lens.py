"""The logit lens against the model's own output and decoding by hand."""

import numpy as np
import pytest
import torch
from tiny import L, close, random, random_ids, tiny_model

from gpt1viz.analysis.lens import lens
from gpt1viz.trace import Edits, Trace

SWITCHES = [{}, {"norm": "pre"}, {"causal": False}, {"n_layer": 1, "n_head": 1}]
N = 7


def ids() -> np.ndarray:
    return random_ids(1, N)[0].numpy()


def own(model, edits=None, trace=None) -> torch.Tensor:
    """The model's log-probabilities of the text's tokens, (T, V)."""
    with torch.inference_mode():
        logits = model(torch.from_numpy(ids())[None], edits=edits, trace=trace).logits[0, :, : model.config.n_vocab]
    return logits.log_softmax(-1)


def agree(found, row: int, log_p: torch.Tensor) -> None:
    """One place of a lens has these log-probabilities (P, V)."""
    p, best = log_p.exp().topk(found.ids.shape[-1])
    assert (found.ids[row] == best.numpy()).all()
    np.testing.assert_allclose(found.probability[row], p.numpy(), rtol=1e-4)
    np.testing.assert_allclose(found.entropy[row], -(p_log_p(log_p)).sum(-1) / np.log(2), rtol=1e-4)
    places = np.arange(len(found.final))
    np.testing.assert_allclose(found.of_final[row], log_p.exp().numpy()[places, found.final], rtol=1e-4)


def p_log_p(log_p: torch.Tensor) -> np.ndarray:
    return (log_p.exp() * log_p).numpy()


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_the_last_place_is_the_output(switches):
    model = tiny_model(**switches)
    found, log_p = lens(model, ids()), own(model)
    agree(found, -1, log_p)
    assert (found.final == log_p.argmax(-1).numpy()).all() and found.stages[-1] == (model.config.n_layer - 1, "mlp")
    assert found.ids.shape == (2 * model.config.n_layer + 1, N, 5)


@pytest.mark.parametrize("norm, middle", [("post", "ln_1"), ("pre", "resid_mid")])
def test_every_place_is_the_stream_decoded_there(norm, middle):
    model, trace = tiny_model(norm=norm), Trace()
    own(model, trace=trace)
    found = lens(model, ids())
    streams = [trace.embed]
    for block in trace.blocks:
        streams += [getattr(block, middle), block.out]
    assert len(streams) == len(found.stages) == 2 * L + 1
    assert found.stages[:4] == ((-1, "embedding"), (0, "attention"), (0, "mlp"), (1, "attention"))
    for row, stream in enumerate(streams):
        x = stream[0] if norm == "post" else torch.nn.functional.layer_norm(stream[0], (12,)) * model.ln_f.weight
        x = x if norm == "post" else x + model.ln_f.bias
        agree(found, row, (x @ model.tokens_embed.weight[: model.config.n_vocab].T).log_softmax(-1))


def test_some_positions_are_those_of_all():
    model = tiny_model()
    every, some = lens(model, ids()), lens(model, ids(), positions=[5, 2], top_k=3)
    assert (some.ids == every.ids[:, [5, 2], :3]).all() and some.positions.tolist() == [5, 2]
    np.testing.assert_allclose(some.of_final, every.of_final[:, [5, 2]], rtol=1e-5)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_edits_reach_the_lens(norm):
    model = tiny_model(norm=norm)
    off = Edits(heads={(2, 1): 0.0})
    found, plain = lens(model, ids(), edits=off), lens(model, ids())
    agree(found, -1, own(model, off))
    assert (found.probability[:5] == plain.probability[:5]).all()
    assert not np.allclose(found.probability[5], plain.probability[5], atol=1e-3)
    patched = Edits(residual={(3, 4): random(12), (L, 6): random(12, seed=1)})
    found = lens(model, ids(), edits=patched)
    agree(found, -1, own(model, patched))
    vector = random(12)
    logits = model.tokens_embed.weight[: model.config.n_vocab] @ (vector if norm == "post" else model.ln_f(vector))
    at = found.stages.index((2, "mlp"))  # the stream that enters block 3
    assert close(torch.from_numpy(found.probability[at, 4]), logits.softmax(-1).topk(5).values)


def test_progress_is_told_and_may_end_the_work():
    shares = []
    lens(tiny_model(), ids(), progress=shares.append)
    assert len(shares) == 2 * L + 1 and shares == sorted(shares) and shares[-1] == 1

    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lens(tiny_model(), ids(), progress=stop)
