"""Writing 128 tokens at 117M, against the bandwidth of memory and against Hugging Face's models."""

from statistics import median

import torch

from gpt1viz.config import GPT1Config
from gpt1viz.generate import generate
from gpt1viz.model import GPT1

from .report import Row
from .timing import interleaved, ratios

TITLE = "Writing 128 tokens at 117M"
NOTE = (
    "Random weights, float32, a prompt of 8 tokens, one text at a time, every token drawn at temperature 1 from all of "
    "the vocabulary. The floor is the time to read the weights that a token needs, all blocks and the tied head, at "
    "the bandwidth that summing a large array reaches on the same threads in the same round. GPT-2 small reads 6 % "
    "more weights."
)
N_TOKENS, N_PROMPT = 128, 8
PROBE = 2**27  # float32 numbers that are summed to measure bandwidth: 0.5 GB, far more than any cache


def measure(repeats: int) -> list[Row]:
    from transformers import GPT2Config, GPT2LMHeadModel, OpenAIGPTConfig, OpenAIGPTLMHeadModel

    config = GPT1Config()
    ours = GPT1(config).eval().requires_grad_(False)
    gpt2 = GPT2LMHeadModel(GPT2Config()).eval().requires_grad_(False)
    port = OpenAIGPTLMHeadModel(OpenAIGPTConfig()).eval().requires_grad_(False)
    prompt = torch.randint(config.n_vocab, (1, N_PROMPT))
    probe = torch.ones(PROBE)

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

    contenders = {
        "probe": lambda: [probe.sum() for _ in range(4)],
        "ours": write_ours,
        "gpt2": lambda: write(gpt2, True),
        "port": lambda: write(port, False),
    }
    seconds = interleaved(contenders, repeats)
    read = 4 * (config.n_params - config.n_ctx * config.n_embd)  # bytes a token: all but the position rows
    floor = [N_TOKENS * read / (4 * probe.nbytes / s) for s in seconds["probe"]]
    bandwidth = 4 * probe.nbytes / median(seconds["probe"]) / 1e9

    def each(times: list[float]) -> str:
        return f"{1000 * median(times) / N_TOKENS:.1f} ms a token"

    share, share_spread = ratios(floor, seconds["ours"])
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
