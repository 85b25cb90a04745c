"""How a pass grows with the text's length and with the model's depth."""

from collections.abc import Callable

import numpy as np
import torch

from gpt1viz.analysis.costs import forward_flops
from gpt1viz.config import GPT1Config
from gpt1viz.trace import Trace

from . import models
from .report import Row
from .timing import interleaved

TITLE = "Growth of a pass with length and depth, at 117M's width"
NOTE = (
    "Time ~ size^exponent, the exponent fitted by least squares to the logarithms: 16 to 512 tokens in 12 layers, and "
    "1 to 12 layers at 64 tokens; beside it that of the last step. Random weights, float32, without the head, which no "
    "depth changes. The limit is the same fit to the floating-point operations: the weights are read once a pass "
    "however short the text, so that time may grow more slowly than they do. The peer is Hugging Face's openai-gpt, "
    "for the recorded pass with attentions and hidden states."
)
LENGTHS, DEPTHS = (16, 32, 64, 128, 256, 512), (1, 2, 3, 6, 9, 12)
AT = 64  # tokens, when the depth changes
SLACK = 0.05  # on an exponent


def measure(repeats: int) -> list[Row]:
    ours, port = models.ours(), models.port().transformer
    config = ours.config
    blocks, theirs = ours.h, port.h

    def run(n_tokens: int, n_layer: int, recorded: bool, peer: bool) -> Callable[[], None]:
        ids = torch.randint(config.n_vocab, (1, n_tokens))

        @torch.inference_mode()
        def once() -> None:
            ours.h, port.h = blocks[:n_layer], theirs[:n_layer]
            if peer:
                port(ids, output_attentions=recorded, output_hidden_states=recorded)
            else:
                ours(ids, trace=Trace() if recorded else None, head=lambda hidden, rows: hidden)

        return once

    rows = []
    for name, sizes in (("length", LENGTHS), ("depth", DEPTHS)):
        shapes = [(size, config.n_layer) if name == "length" else (AT, size) for size in sizes]
        ideal = exponent(sizes, [operations(config, *shape) for shape in shapes])
        for kind, recorded in (("plain", False), ("recorded", True)):
            contenders = {
                (shape, peer): run(*shape, recorded=recorded, peer=peer) for shape in shapes for peer in (False, True)
            }
            seconds = interleaved(contenders, repeats)
            found, found_theirs = (
                [exponent(sizes, times) for times in zip(*(seconds[shape, peer] for shape in shapes), strict=True)]
                for peer in (False, True)
            )
            middle, middle_theirs = float(np.median(found)), float(np.median(found_theirs))
            ends = [float(np.median(seconds[shape, False])) for shape in shapes[-2:]]
            rows.append(
                Row(
                    f"{kind} pass by {name}, {sizes[0]} to {sizes[-1]}",
                    f"time ~ {name}^{middle:.2f}; {sizes[-2]} to {sizes[-1]}: ^{exponent(sizes[-2:], ends):.2f}",
                    f"operations ~ {name}^{ideal:.2f}; openai-gpt ~ {name}^{middle_theirs:.2f}",
                    f"exponent {middle - ideal:+.2f}".replace("-", "−"),
                    f"{min(found):.2f} to {max(found):.2f}",
                    f"at most {SLACK} above",
                    middle <= ideal + SLACK,
                )
            )
    ours.h, port.h = blocks, theirs
    return rows


def exponent(sizes, values) -> float:
    """Slope of log(value) over log(size)."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def operations(config: GPT1Config, n_tokens: int, n_layer: int) -> float:
    """Floating-point operations of a pass without its head."""
    shape = GPT1Config.from_dict(config.to_dict() | {"n_layer": n_layer})
    parts = forward_flops(shape, n_tokens)
    return n_tokens * (sum(parts.values()) - parts["head"])
