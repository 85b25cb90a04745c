"""Training at the bundled shape, against the machine's matrix products and against plain transformers."""

from statistics import median

import numpy as np
import torch

from gpt1viz.config import GPT1Config
from gpt1viz.model import GPT1
from gpt1viz.training.batches import Windows
from gpt1viz.training.cost import flops_a_token
from gpt1viz.training.distributed import World
from gpt1viz.training.loop import Job, Loop
from gpt1viz.training.losses import token_loss
from gpt1viz.training.settings import TrainSettings

from .report import Row
from .timing import interleaved, ratios

TITLE = "Training at the bundled checkpoint's shape"
NOTE = (
    "6 layers, 6 heads, 192 channels, 4,096 entries, updates of 16 x 256 tokens drawn at random, float32, no dropout, "
    "gradient norm clipped, fused AdamW; one update of the package's own loop. Counted are 6 operations a token for "
    "each weight used in a product (the tied head once, embeddings' look-ups not) and 12 T C a layer for attention's "
    "products over all pairs of positions, or over the half of them that the mask leaves. The rate is that of products "
    "of 1024 x 1024 float32 matrices on the same threads in the same round. transformers: OpenAIGPTLMHeadModel of the "
    "same shape with `labels=`, clipping and the same optimiser."
)
BATCH, SIZE, PRODUCTS = 16, 1024, 40
NO_DROPOUT = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0.0)


def measure(repeats: int) -> list[Row]:
    config = GPT1Config.from_dict(GPT1Config.preset("storybook").to_dict() | NO_DROPOUT)
    ids = np.random.default_rng(0).integers(config.n_vocab, size=100_000).astype(np.uint16)
    windows = Windows(ids, config.n_ctx, BATCH)
    loop = ours(config, windows)
    left, right = torch.randn(2, SIZE, SIZE)
    product = torch.empty(SIZE, SIZE)

    def update() -> None:
        loop.step += 1
        loop.update(1e-3)

    contenders = {
        "products": lambda: [torch.mm(left, right, out=product) for _ in range(PRODUCTS)],
        "ours": update,
        "transformers": theirs(config, windows),
    }
    seconds = interleaved(contenders, repeats)
    tokens, flops = BATCH * config.n_ctx, flops_a_token(config)
    rate = PRODUCTS * 2 * SIZE**3 / median(seconds["products"])
    ideal = [s * tokens * flops / (PRODUCTS * 2 * SIZE**3) for s in seconds["products"]]
    share, share_spread = ratios(ideal, seconds["ours"])
    faster, faster_spread = ratios(seconds["transformers"], seconds["ours"])
    left_by_mask = flops - 6 * config.n_layer * config.n_embd * config.n_ctx
    half, half_spread = ratios([s * left_by_mask / flops for s in ideal], seconds["ours"])

    def each(times: list[float]) -> str:
        return f"{tokens / median(times):,.0f} tokens a second"

    return [
        Row(
            "share of the matrix-product rate",
            each(seconds["ours"]),
            f"{rate / 1e9:.0f} GFLOP/s, {flops / 1e6:.1f} MFLOP a token",
            f"{share:.0%}",
            share_spread,
            "65 %",
            share >= 0.65,
        ),
        Row(
            "the same, counting only the pairs that the mask leaves",
            each(seconds["ours"]),
            f"{rate / 1e9:.0f} GFLOP/s, {left_by_mask / 1e6:.1f} MFLOP a token",
            f"{half:.0%}",
            half_spread,
            "65 %",
            half >= 0.65,
        ),
        Row(
            "plain transformers, the same shape",
            each(seconds["ours"]),
            each(seconds["transformers"]),
            f"{faster:.2f} times as fast",
            faster_spread,
            "no slower",
            faster >= 1,
        ),
    ]


def ours(config: GPT1Config, windows: Windows) -> Loop:
    model = GPT1(config)
    job = Job(
        module=model,
        config=config,
        batch=lambda step, part: windows.batch(step),
        losses=lambda rows: {"loss": token_loss(model, rows)},
        factor=lambda step, x: 1.0,
        save=lambda folder: None,
        restore=lambda folder: None,
        tokens_a_step=BATCH * config.n_ctx,
    )
    settings = TrainSettings(batch_size=BATCH, steps=1, betas=(0.9, 0.98), device="cpu")
    return Loop(job, settings, World(0, 1, torch.device("cpu")), run=None)


def theirs(config: GPT1Config, windows: Windows):
    from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

    shape = {name: getattr(config, name) for name in ("n_embd", "n_layer", "n_head")} | NO_DROPOUT
    model = OpenAIGPTLMHeadModel(OpenAIGPTConfig(vocab_size=config.n_vocab, n_positions=config.n_ctx, **shape)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    step = 0

    def update() -> None:
        nonlocal step
        step += 1
        rows = windows.batch(step)[:, : config.n_ctx]
        model(input_ids=rows, labels=rows).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return update
