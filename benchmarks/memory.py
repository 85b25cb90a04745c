"""What a recorded pass keeps, by length."""

from collections.abc import Iterator
from dataclasses import fields

import torch
from torch import Tensor

from gpt1viz.trace import Trace

from . import models
from .report import Row

TITLE = "Memory of a recorded pass at 117M"
NOTE = (
    "Bytes of the storages behind the tensors that are kept, each counted once, with the logits. Hugging Face's "
    "openai-gpt keeps attentions and hidden states; gpt1viz the same (weights and residual stream), or all that a "
    "Trace can hold: also queries, keys, values, scores, heads, sums, LayerNorms and the MLP. A drawing asks for what "
    "it draws."
)
LENGTHS = (64, 128, 256, 512)
SAME = ("embed", "weights", "out", "logits")  # what Hugging Face keeps


def measure(repeats: int) -> list[Row]:
    ours, port = models.ours(), models.port()
    config = ours.config
    rows = []
    for n_tokens in LENGTHS:
        ids = torch.randint(config.n_vocab, (1, n_tokens))
        some, everything = Trace(fields=SAME), Trace()
        with torch.inference_mode():
            ours(ids, trace=some)
            ours(ids, trace=everything)
            kept = port(ids, output_attentions=True, output_hidden_states=True)
        theirs = size([*kept.attentions, *kept.hidden_states, kept.logits])
        same, whole = size(list(tensors(some))), size(list(tensors(everything)))
        rows.append(
            Row(
                f"Hugging Face's openai-gpt, {n_tokens} tokens",
                f"the same: {same / 1e6:.1f} MB; everything: {whole / 1e6:.1f} MB",
                f"{theirs / 1e6:.1f} MB",
                f"{same / theirs:.2f} of it; {whole / theirs:.1f} times",
                "exact",
                "the same in no more",
                same <= theirs,
            )
        )
    return rows


def tensors(trace: Trace) -> Iterator[Tensor]:
    """Every tensor that a trace holds."""
    for record in (trace, *trace.blocks):
        yield from (value for f in fields(record) if isinstance(value := getattr(record, f.name), Tensor))


def size(kept: list[Tensor]) -> int:
    """Bytes of memory that some tensors hold on to."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in kept}
    return sum(storages.values())
