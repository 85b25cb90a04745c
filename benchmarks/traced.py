"""A forward pass that keeps everything, against Hugging Face's with attentions and hidden states."""

from statistics import median

import torch

from gpt1viz.trace import Trace

from . import models
from .report import Row
from .timing import interleaved, ratios

TITLE = "A recorded pass over 64 tokens at 117M"
NOTE = (
    "Random weights, float32. gpt1viz records all that a Trace can hold: embeddings, every block's queries, keys, "
    "values, scores, weights, heads, sums, LayerNorms and MLP, and the logits. Hugging Face's openai-gpt keeps "
    "attentions and hidden states."
)
N_TOKENS = 64


def measure(repeats: int) -> list[Row]:
    ours, port = models.ours(), models.port()
    config = ours.config
    ids = torch.randint(config.n_vocab, (1, N_TOKENS))

    @torch.inference_mode()
    def record() -> None:
        trace = Trace()
        ours(ids, trace=trace)
        assert trace.blocks[-1].weights is not None

    @torch.inference_mode()
    def plain() -> None:
        ours(ids)

    @torch.inference_mode()
    def theirs() -> None:
        kept = port(ids, output_attentions=True, output_hidden_states=True)
        assert len(kept.attentions) == 12 and len(kept.hidden_states) == 13

    seconds = interleaved({"record": record, "plain": plain, "theirs": theirs}, 8 * repeats)
    ratio, spread = ratios(seconds["theirs"], seconds["record"])
    cost, cost_spread = ratios(seconds["record"], seconds["plain"])
    ms = {name: f"{1000 * median(times):.0f} ms" for name, times in seconds.items()}
    return [
        Row(
            "Hugging Face's openai-gpt, attentions and hidden states",
            ms["record"],
            ms["theirs"],
            f"{ratio:.2f} times as fast",
            spread,
            "no slower",
            ratio >= 1,
        ),
        Row(
            "gpt1viz itself, recording nothing",
            ms["record"],
            ms["plain"],
            f"{cost:.2f} times the time",
            cost_spread,
        ),
    ]
