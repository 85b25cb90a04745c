"""The shape of a GPT-1 and its teaching switches. Names follow the 2018 release and its Hugging Face port."""

from dataclasses import asdict, dataclass, fields

from .errors import GPT1VizError

CHOICES = {
    "afn": ("gelu", "relu", "silu"),
    "norm": ("post", "pre"),
    "positions": ("learned", "sinusoidal", "none"),
    "causal": (True, False),
    "scale_attn": (True, False),
}
MOST = 10**12  # no number of rows, channels, layers or heads is larger
MOST_CONTEXT = 1 << 16  # tokens; a longer context would need 16 GB for one head's weights


@dataclass(frozen=True)
class GPT1Config:
    """Shape of the model; the defaults are the paper's 117M (section 4.1).

    Args:
        n_vocab: entries of the vocabulary (40,000 merges give 40,478).
        n_special: rows for start, delimiter and extract tokens, which follow the vocabulary's in `tokens_embed`.
        n_ctx: most tokens the model reads.
        n_embd: channels C of the residual stream.
        n_layer: blocks L.
        n_head: attention heads H; each has D = n_embd / n_head dimensions.
        afn: activation of the MLP: gelu (by tanh, GPT-1), relu, silu.
        embd_pdrop, attn_pdrop, resid_pdrop, clf_pdrop: dropout of embeddings, weights, sub-layer outputs, classifier.

    Teaching switches, each off in GPT-1:
        norm: "post" normalises after each addition (GPT-1), "pre" before each sub-layer (GPT-2).
        positions: "learned" (GPT-1), "sinusoidal" (the 2017 Transformer), "none".
        causal: False removes the mask.
        scale_attn: False leaves out the division by sqrt(D).

    Raises:
        GPT1VizError: a value that no model can have, naming the field.
    """

    n_vocab: int = 40478
    n_special: int = 0
    n_ctx: int = 512
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    afn: str = "gelu"
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    resid_pdrop: float = 0.1
    clf_pdrop: float = 0.1
    norm: str = "post"
    positions: str = "learned"
    causal: bool = True
    scale_attn: bool = True

    def __post_init__(self):
        for name in ("n_vocab", "n_ctx", "n_embd", "n_layer", "n_head", "n_special"):
            value = getattr(self, name)
            least = 0 if name == "n_special" else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise GPT1VizError("config_number", field=name, value=value, least=least)
            if value > (most := MOST_CONTEXT if name == "n_ctx" else MOST):
                raise GPT1VizError("config_too_large", field=name, most=most)
        if self.n_embd % self.n_head:
            raise GPT1VizError("config_heads", n_embd=self.n_embd, n_head=self.n_head)
        for name in ("embd_pdrop", "attn_pdrop", "resid_pdrop", "clf_pdrop"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
                raise GPT1VizError("config_dropout", field=name, value=value)
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                words = ", ".join(map(str, allowed))
                raise GPT1VizError("config_choice", field=name, value=getattr(self, name), allowed=words)

    @property
    def d_head(self) -> int:
        """D, the dimensions of one head."""
        return self.n_embd // self.n_head

    @property
    def n_rows(self) -> int:
        """Rows of `tokens_embed`: the vocabulary's, then the special tokens'."""
        return self.n_vocab + self.n_special

    @property
    def n_params(self) -> int:
        """Number of parameters, the tied LM head counted once."""
        c, f = self.n_embd, 4 * self.n_embd
        block = (c * 3 * c + 3 * c) + (c * c + c) + (c * f + f) + (f * c + c) + 4 * c
        positions = self.n_ctx * c if self.positions == "learned" else 0
        final_norm = 2 * c if self.norm == "pre" else 0
        return self.n_rows * c + positions + self.n_layer * block + final_norm

    @classmethod
    def preset(cls, name: str) -> "GPT1Config":
        """A named shape: "gpt1" (the paper's 117M), "storybook" (the bundled checkpoint's), "tiny" (for tests)."""
        if name not in PRESETS:
            raise GPT1VizError("config_preset", name=name, allowed=", ".join(PRESETS))
        return PRESETS[name]

    def to_dict(self) -> dict:
        """Field names and values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "GPT1Config":
        """The inverse of `to_dict`; names that are not fields are ignored, missing ones keep GPT-1's value."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


PRESETS = {
    "gpt1": GPT1Config(),
    "storybook": GPT1Config(n_vocab=4096, n_ctx=256, n_embd=192, n_layer=6, n_head=6),
    "tiny": GPT1Config(n_vocab=97, n_ctx=24, n_embd=32, n_layer=3, n_head=4),
}
