"""Writing 128 tokens at 117M, against the bandwidth of memory and against Hugging Face's models."""

from statistics import median

import torch

from gpt1viz.generate import generate
from gpt1viz.linear import Linear, last_position

from . import models
from .report import Row
from .timing import interleaved, ratios

TITLE = "Writing 128 tokens at 117M"
NOTE = (
    "Random weights, float32, a prompt of 8 tokens, one text at a time, every token drawn at temperature 1 from all of "
    "the vocabulary. The floor is the time to read the weights that a token needs, all blocks and the tied head, at "
    "the bandwidth that summing a large array, or multiplying it by a vector, reaches on the same threads in the same "
    "round, whichever is faster. The products alone are those of one row with all these matrices, by the same "
    "library: what they miss of the floor is the library's, what writing takes beyond them is ours. GPT-2 small reads "
    "6 % more weights."
)
N_TOKENS, N_PROMPT = 128, 8
PROBE, WIDTH = 2**27, 4096  # float32 numbers read to measure bandwidth: 0.5 GB, far more than any cache holds
READS = 16  # times a round


def measure(repeats: int) -> list[Row]:
    from transformers import GPT2Config, GPT2LMHeadModel

    ours, port = models.ours(), models.port()
    config = ours.config
    gpt2 = GPT2LMHeadModel(GPT2Config()).eval().requires_grad_(False)
    prompt = torch.randint(config.n_vocab, (1, N_PROMPT))
    probe = torch.ones(PROBE)
    left = torch.ones(PROBE // WIDTH)

    def write(model, use_cache: bool) -> None:
        options = {"do_sample": True, "top_k": 0, "min_new_tokens": N_TOKENS, "max_new_tokens": N_TOKENS}
        with torch.inference_mode():
            ids = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), use_cache=use_cache, pad_token_id=0, **options
            )
        assert ids.shape[1] == N_PROMPT + N_TOKENS

    def write_ours() -> None:
        assert (
            len(list(generate(ours, None, prompt[0].tolist(), N_TOKENS))) == N_TOKENS
        )  # no tokenizer: ids in, ids out

    vectors = {width: torch.randn(1, 1, width) for width in (config.n_embd, 4 * config.n_embd)}
    layers = [layer for layer in ours.modules() if isinstance(layer, Linear)]

    @torch.inference_mode()
    def multiply() -> None:
        for _ in range(READS):
            for layer in layers:
                layer(vectors[layer.in_features])
            last_position(vectors[config.n_embd], ours.tokens_embed.weight)

    contenders = {
        "products": multiply,
        "sum": lambda: [probe.sum() for _ in range(READS)],
        "product": lambda: [left @ probe.view(-1, WIDTH) for _ in range(READS)],
        "ours": write_ours,
        "gpt2": lambda: write(gpt2, True),
        "port": lambda: write(port, False),
    }
    seconds = interleaved(contenders, repeats // 2 + 1)  # they take long, and the ratios of the writers hardly vary
    read = 4 * (config.n_params - config.n_ctx * config.n_embd)  # bytes a token: all but the position rows
    fastest = [min(both) for both in zip(seconds["sum"], seconds["product"], strict=True)]
    floor = [N_TOKENS * read * s / (READS * probe.nbytes) for s in fastest]
    products = [s * N_TOKENS / READS for s in seconds["products"]]
    bandwidth = READS * probe.nbytes / median(fastest) / 1e9

    def each(times: list[float]) -> str:
        return f"{1000 * median(times) / N_TOKENS:.1f} ms a token"

    share, share_spread = ratios(floor, seconds["ours"])
    most, most_spread = ratios(floor, products)
    cached, cached_spread = ratios(seconds["gpt2"], seconds["ours"])
    uncached, uncached_spread = ratios(seconds["port"], seconds["ours"])
    mine = each(seconds["ours"])
    return [
        Row(
            "share of the bandwidth floor",
            mine,
            f"floor {each(floor)} ({read / 1e6:.0f} MB at {bandwidth:.1f} GB/s)",
            f"{share:.0%}",
            share_spread,
            "60 %",
            share >= 0.6,
        ),
        Row("the same, the products alone", each(products), f"floor {each(floor)}", f"{most:.0%}", most_spread),
        Row(
            "Hugging Face's GPT-2 small, cached",
            mine,
            each(seconds["gpt2"]),
            f"{cached:.2f} times as fast",
            cached_spread,
            "no slower",
            cached >= 1,
        ),
        Row(
            "Hugging Face's openai-gpt, which has no cache",
            mine,
            each(seconds["port"]),
            f"{uncached:.1f} times as fast",
            uncached_spread,
            "5 times",
            uncached >= 5,
        ),
    ]
