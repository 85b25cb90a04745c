"""What a shape costs: parameters, floating-point operations, memory and time, by arithmetic alone.

Letters as in model.py: C channels, F = 4C, L layers, H heads, T tokens of a text, V rows of the vocabulary.
"""

from dataclasses import dataclass

from ..config import GPT1Config

BYTES_A_PARAMETER = 16  # float32: the weight, its gradient, and Adam's two averages
PETAFLOP_DAY = 1e15 * 86_400  # floating-point operations
UTILISATION = 0.33  # what OpenAI counts with, "AI and Compute" (2018); the share of the peak that training reaches


def parameters(config: GPT1Config) -> dict[str, int]:
    """Parameters by part; they add up to `config.n_params`. The LM head is the token rows again and costs none."""
    c, layers = config.n_embd, config.n_layer
    return {
        "tokens": config.n_rows * c,
        "positions": config.n_ctx * c if config.positions == "learned" else 0,
        "attention": layers * (4 * c * c + 4 * c),  # c_attn (C, 3C) and c_proj (C, C), with biases
        "mlp": layers * (8 * c * c + 5 * c),  # c_fc (C, F) and c_proj (F, C), with biases
        "norms": 4 * layers * c + (2 * c if config.norm == "pre" else 0),  # gains and biases
    }


def forward_flops(config: GPT1Config, n: int | None = None) -> dict[str, int]:
    """Floating-point operations of a forward pass on one token of a text of n tokens, by part.

    Two for each weight used in a product: one multiplication, one addition. Attention's own products, q k^T and
    weights v, are counted over all n x n pairs as is usual, masked or not (Chowdhery et al. 2022, appendix B).
    Looking up an embedding is no product; softmax, LayerNorm and GELU are left out: under 1 % at GPT-1's shape.

    Args:
        config: the shape.
        n: tokens T of the text; by default n_ctx.
    """
    c, layers = config.n_embd, config.n_layer
    n = config.n_ctx if n is None else n
    return {
        "projections": layers * 2 * 4 * c * c,  # q, k, v and the output projection
        "pairs": layers * 4 * n * c,  # q k^T and weights v
        "mlp": layers * 2 * 8 * c * c,
        "head": 2 * config.n_rows * c,
    }


def flops_a_token(config: GPT1Config) -> int:
    """Floating-point operations of training on one token: the backward pass costs twice the forward pass.

    Six for each weight used in a product, and 12 T C a layer for the products of attention (Chowdhery et al. 2022,
    appendix B).
    """
    return 3 * sum(forward_flops(config).values())


def activations(config: GPT1Config, width: int = 4) -> int:
    """Bytes a token that wait for the backward pass, without the logits.

    A layer keeps 16 C numbers: inputs of the two LayerNorms, of attention and of the MLP, q, k, v and the heads, the
    MLP's 4 C before and 4 C after the activation; and with dropout 2 C bytes of masks: the 34 s b h bytes a layer of
    Korthikanti et al. 2022, section 4.1, in 16 bits. Their 5 a s^2 b are of attention weights written out, as in 2018;
    a fused kernel computes these again.

    Args:
        width: bytes of a number, 4 or 2.
    """
    masks = 2 * config.n_embd if config.resid_pdrop else 0
    return config.n_layer * (16 * config.n_embd * width + masks)


def training_memory(config: GPT1Config, batch: int, width: int = 4) -> dict[str, int]:
    """Bytes that training holds, by part. Weights and optimiser are float32 also where products are 16-bit.

    The logits are those of all tokens at once, in float32, as in 2018; training/losses.py makes 512 rows at a time.

    Args:
        batch: texts of n_ctx tokens that go through at once.
        width: bytes of an activation, 4 or 2.
    """
    tokens = batch * config.n_ctx
    return {
        "weights": 4 * config.n_params,
        "gradients": 4 * config.n_params,
        "optimizer": 8 * config.n_params,
        "activations": tokens * activations(config, width),
        "logits": tokens * 4 * config.n_rows,
    }


def kv_cache(config: GPT1Config, n: int | None = None, width: int = 4) -> int:
    """Bytes of the keys and values of one text of n tokens (by default n_ctx): two vectors a layer and token."""
    return 2 * config.n_layer * config.n_embd * (config.n_ctx if n is None else n) * width


@dataclass(frozen=True)
class Hardware:
    """One device, by its maker's data sheet.

    Attributes:
        name: as it is sold.
        year: when it came out.
        flops: float32 operations a second, at most.
        flops_16: 16-bit operations a second on its matrix units, without sparsity; None where it has none.
        bandwidth: bytes a second from its memory.
        memory: bytes.
        source: where the numbers stand.
    """

    name: str
    year: int
    flops: float
    flops_16: float | None
    bandwidth: float
    memory: float
    source: str

    def peak(self, half: bool) -> float:
        """Operations a second at most; `half` asks for 16 bits and falls back to float32."""
        return self.flops_16 if half and self.flops_16 else self.flops


HARDWARE = {
    "laptop": Hardware(
        "CPU, 4 cores, AVX2", 2018, 384e9, None, 51.2e9, 16e9, "4 cores × 3 GHz × 32 operations; 2 × DDR4-3200"
    ),
    "p6000": Hardware("NVIDIA Quadro P6000", 2016, 12e12, None, 432e9, 24e9, "NVIDIA Quadro P6000 data sheet"),
    "v100": Hardware("NVIDIA V100 SXM2", 2017, 15.7e12, 125e12, 900e9, 32e9, "NVIDIA V100 data sheet"),
    "t4": Hardware("NVIDIA T4", 2018, 8.1e12, 65e12, 320e9, 16e9, "NVIDIA T4 data sheet"),
    "a100": Hardware("NVIDIA A100 SXM 80 GB", 2020, 19.5e12, 312e12, 2039e9, 80e9, "NVIDIA A100 data sheet"),
    "rtx4090": Hardware("NVIDIA RTX 4090", 2022, 82.6e12, 165.2e12, 1008e9, 24e9, "NVIDIA Ada white paper"),
    "h100": Hardware("NVIDIA H100 SXM", 2022, 67e12, 989e12, 3350e9, 80e9, "NVIDIA H100 data sheet, without sparsity"),
}


def training_seconds(flops: float, hardware: Hardware, n_devices: int, utilisation: float, half: bool = False) -> float:
    """Seconds that so many operations take on n devices which reach this share of their peak."""
    return flops / (n_devices * hardware.peak(half) * utilisation)


def writing_seconds(config: GPT1Config, n: int, hardware: Hardware, half: bool = False) -> dict[str, float]:
    """Seconds at least to write one token behind n others, with a cache: the larger of the two counts.

    Returns:
        "compute": the operations at the peak rate; "memory": reading every weight and the cache once.
    """
    width = 2 if half and hardware.flops_16 else 4
    read = width * config.n_params + kv_cache(config, n, width)
    flops = sum(forward_flops(config, n).values())
    return {"compute": flops / hardware.peak(half), "memory": read / hardware.bandwidth}


@dataclass(frozen=True)
class Published:
    """A model as its makers described it.

    Attributes:
        name: as it is called.
        year: of publication.
        config: its shape; "pre" stands for LayerNorm before each sub-layer and a final one.
        said: parameters, as published, in millions.
        tokens: read in training; None where nobody said.
        petaflop_days: compute, as published; None where nobody said.
        source: of shape, parameters, tokens and compute.
    """

    name: str
    year: int
    config: GPT1Config
    said: int
    tokens: float | None
    petaflop_days: float | None
    source: str

    @property
    def flops(self) -> float | None:
        """Operations of the whole training by arithmetic; None where the tokens are not known."""
        return None if self.tokens is None else self.tokens * flops_a_token(self.config)


def _later(n_layer: int, n_embd: int, n_head: int, n_ctx: int) -> GPT1Config:
    """GPT-2's and GPT-3's kind of shape: 50,257 entries and pre-LN."""
    return GPT1Config(n_vocab=50257, n_ctx=n_ctx, n_embd=n_embd, n_layer=n_layer, n_head=n_head, norm="pre")


BOOKS_WORDS = 984_846_357  # BooksCorpus, Zhu et al. 2015, table 2
_GPT2 = "Radford et al. 2019, table 2; parameters as corrected in github.com/openai/gpt-2"
_GPT3 = "Brown et al. 2020 (arXiv:2005.14165), tables 2.1 and D.1"
PUBLISHED = {
    "gpt1": Published(
        "GPT-1",
        2018,
        GPT1Config(),
        117,
        None,
        0.96,
        "Radford et al. 2018, section 4.1; compute: openai.com/index/language-unsupervised (2018)",
    ),
    "gpt2": Published("GPT-2 small", 2019, _later(12, 768, 12, 1024), 124, None, None, _GPT2),
    "gpt2-medium": Published("GPT-2 medium", 2019, _later(24, 1024, 16, 1024), 355, None, None, _GPT2),
    "gpt2-large": Published("GPT-2 large", 2019, _later(36, 1280, 20, 1024), 774, None, None, _GPT2),
    "gpt2-xl": Published("GPT-2", 2019, _later(48, 1600, 25, 1024), 1558, None, None, _GPT2),
    "gpt3": Published("GPT-3", 2020, _later(96, 12288, 96, 2048), 174_600, 300e9, 3640.0, _GPT3),
}
