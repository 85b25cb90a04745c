"""A plain forward pass, against Hugging Face's openai-gpt of the same shape."""

from statistics import median

import torch

from . import models
from .report import Row
from .timing import interleaved, ratios

TITLE = "A plain pass at 117M, all logits"
NOTE = (
    "Random weights, float32, one text, nothing recorded. The peer is Hugging Face's openai-gpt with its default "
    "attention. Both give the logits of every position."
)
ROUNDS = {64: 4, 512: 1}  # tokens -> how many times the usual number of rounds


def measure(repeats: int) -> list[Row]:
    ours, port = models.ours(), models.port()
    config = ours.config
    rows = []
    for n_tokens, rounds in ROUNDS.items():
        ids = torch.randint(config.n_vocab, (1, n_tokens))

        @torch.inference_mode()
        def run(model, ids=ids) -> None:
            assert model(ids).logits.shape[1] == ids.shape[1]

        contenders = {"ours": lambda: run(ours), "theirs": lambda: run(port)}
        seconds = interleaved(contenders, rounds * repeats)
        ratio, spread = ratios(seconds["theirs"], seconds["ours"])
        ms = {name: f"{1000 * median(times):.0f} ms" for name, times in seconds.items()}
        what = f"Hugging Face's openai-gpt, {n_tokens} tokens"
        rows.append(Row(what, ms["ours"], ms["theirs"], f"{ratio:.2f} times as fast", spread, "no slower", ratio >= 1))
    return rows
