"""What a forward pass records (Trace) and what it is told to change (Edits).

Both are plain arguments of `GPT1.forward`: a model may be shared by threads, so nothing is hooked onto it.
Dimensions: B batch, T query positions, S key positions, H heads, D head size, C channels, F MLP width,
V rows of the vocabulary, L layers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from .config import GPT1Config
from .errors import GPT1VizError

MASKED = -1e9  # what the 2018 code puts where a query may not look


def _recorded(dims: str):
    return field(default=None, metadata={"dims": dims})


@dataclass
class BlockTrace:
    """What one block computed, in the order of computation. A field is None when it was not asked for."""

    wanted: frozenset[str] = frozenset()
    resid_in: Tensor | None = _recorded("B T C")  # residual stream entering the block
    q: Tensor | None = _recorded("B H T D")
    k: Tensor | None = _recorded("B H S D")
    v: Tensor | None = _recorded("B H S D")
    scores: Tensor | None = _recorded("B H T S")  # q k^T / sqrt(D), before the mask
    weights: Tensor | None = _recorded("B H T S")  # softmax of the masked scores
    heads: Tensor | None = _recorded("B H T D")  # weights v: each head's output, after edits
    attn_out: Tensor | None = _recorded("B T C")  # heads joined, through the output projection
    resid_mid: Tensor | None = _recorded("B T C")  # first residual sum
    ln_1: Tensor | None = _recorded("B T C")  # first LayerNorm's output
    mlp_pre: Tensor | None = _recorded("B T F")  # before the activation
    mlp_hidden: Tensor | None = _recorded("B T F")  # after it
    mlp_out: Tensor | None = _recorded("B T C")
    resid_out: Tensor | None = _recorded("B T C")  # second residual sum
    ln_2: Tensor | None = _recorded("B T C")  # second LayerNorm's output
    out: Tensor | None = _recorded("B T C")  # what the block hands on: ln_2 in post-LN, resid_out in pre-LN

    def wants(self, *names: str) -> bool:
        """Whether any of these fields was asked for."""
        return not self.wanted.isdisjoint(names)

    def record(self, **tensors: Tensor) -> None:
        """Keep those of the named tensors that were asked for."""
        for name, tensor in tensors.items():
            if name in self.wanted:
                setattr(self, name, tensor)


BLOCK_FIELDS = {f.name: f.metadata["dims"] for f in fields(BlockTrace) if "dims" in f.metadata}


@dataclass
class Trace:
    """What a forward pass computed. Make one, pass it to `GPT1.forward(trace=...)`, then read its fields.

    Args:
        fields: names to record, of Trace and BlockTrace together; None records all of them.
        layers: blocks to record; None records all of them.

    Raises:
        GPT1VizError: a name that is no field.
    """

    fields: Iterable[str] | None = None
    layers: Iterable[int] | None = None
    tokens: Tensor | None = _recorded("B T C")  # rows of tokens_embed
    positions: Tensor | None = _recorded("T C")  # rows of positions_embed
    embed: Tensor | None = _recorded("B T C")  # their sum
    mask: Tensor | None = _recorded("T S")  # True where a query may look
    blocks: list[BlockTrace] = field(default_factory=list)  # one a layer, in order
    hidden: Tensor | None = _recorded("B T C")  # what the last block hands to the heads
    logits: Tensor | None = _recorded("B T V")

    def __post_init__(self):
        known = MODEL_FIELDS | BLOCK_FIELDS
        self.fields = frozenset(known if self.fields is None else self.fields)
        self.layers = None if self.layers is None else frozenset(self.layers)
        for name in sorted(self.fields - known.keys()):
            raise GPT1VizError("trace_field", name=name, allowed=", ".join(known))

    def record(self, **tensors: Tensor | None) -> None:
        """Keep those of the named tensors that were asked for."""
        for name, tensor in tensors.items():
            if name in self.fields:  # pyright: ignore[reportOperatorIssue]
                setattr(self, name, tensor)

    def start(self, n_layer: int) -> None:
        """Called by the forward pass before it records.

        Raises:
            GPT1VizError: the trace holds a pass already, or asks for a layer that the model lacks.
        """
        if self.blocks:
            raise GPT1VizError("trace_used")
        for layer in sorted(self.layers or ()):
            if not 0 <= layer < n_layer:
                raise GPT1VizError("trace_layer", layer=layer, n_layer=n_layer)

    def block(self, layer: int) -> BlockTrace:
        """A new record for this layer, empty when the layer was not asked for."""
        chosen = self.layers is None or layer in self.layers
        wanted = (frozenset(self.fields or ()) & BLOCK_FIELDS.keys()) if chosen else frozenset()
        self.blocks.append(BlockTrace(wanted))
        return self.blocks[-1]

    def masked_scores(self, layer: int) -> Tensor:
        """Scores of one layer with -1e9 where the mask hides the key, as the softmax receives them, (B, H, T, S)."""
        scores = self.blocks[layer].scores
        if scores is None or "mask" not in (self.fields or ()):
            raise GPT1VizError("trace_missing", name="scores" if scores is None else "mask", layer=layer)
        return scores if self.mask is None else scores.where(self.mask, MASKED)


MODEL_FIELDS = {f.name: f.metadata["dims"] for f in fields(Trace) if "dims" in f.metadata}


@dataclass(frozen=True)
class Edits:
    """What to change in one forward pass; the model itself stays as it is.

    Args:
        heads: (layer, head) -> factor on that head's output; 0 switches it off.
        attention: (layer, head) -> attention matrix (T, S) put in place of the computed weights.
        residual: (layer, position) -> vector (C,) put in place of the residual stream that enters the block;
            layer L stands for what leaves the last one.
        causal: False lifts the mask, True puts it on, None leaves what the configuration says.
    """

    heads: Mapping[tuple[int, int], float] = field(default_factory=dict)
    attention: Mapping[tuple[int, int], Tensor] = field(default_factory=dict)
    residual: Mapping[tuple[int, int], Tensor] = field(default_factory=dict)
    causal: bool | None = None

    def check(self, config: GPT1Config, n_past: int, n_new: int) -> None:
        """Refuse what does not fit the model or the text.

        Raises:
            GPT1VizError: no such layer, head or position; a wrong shape; matrices or vectors with a cache.
        """
        n_keys = n_past + n_new
        if n_past and (self.attention or self.residual):
            raise GPT1VizError("edit_cached")
        for layer, head in (*self.heads, *self.attention):
            if not (0 <= layer < config.n_layer and 0 <= head < config.n_head):
                raise GPT1VizError("edit_head", layer=layer, head=head, n_layer=config.n_layer, n_head=config.n_head)
        for layer, position in self.residual:
            if not (0 <= layer <= config.n_layer and 0 <= position < n_new):
                raise GPT1VizError("edit_position", layer=layer, position=position, n_layer=config.n_layer, n=n_new)
        wanted = [(m, (n_new, n_keys)) for m in self.attention.values()]
        wanted += [(vector, (config.n_embd,)) for vector in self.residual.values()]
        for tensor, shape in wanted:
            if tuple(tensor.shape) != shape:
                raise GPT1VizError("edit_shape", shape=tuple(tensor.shape), wanted=shape)

    def stream(self, x: Tensor, layer: int) -> Tensor:
        """The residual stream (B, T, C) entering `layer`, with the replaced vectors in place."""
        chosen = {position: vector for (at, position), vector in self.residual.items() if at == layer}
        if not chosen:
            return x
        rows = [chosen[t].to(x).expand_as(x[:, t]) if t in chosen else x[:, t] for t in range(x.shape[1])]
        return torch.stack(rows, dim=1)

    def weights(self, weights: Tensor, layer: int) -> Tensor:
        """Attention weights (B, H, T, S) of `layer`, with the replaced matrices in place."""
        chosen = {head: matrix for (at, head), matrix in self.attention.items() if at == layer}
        if not chosen:
            return weights
        heads = [
            chosen[h].to(weights).expand_as(weights[:, h]) if h in chosen else weights[:, h]
            for h in range(weights.shape[1])
        ]
        return torch.stack(heads, dim=1)

    def scaled(self, heads: Tensor, layer: int) -> Tensor:
        """Heads' outputs (B, H, T, D) of `layer`, each times its factor."""
        if all(at != layer for at, _ in self.heads):
            return heads
        factors = [self.heads.get((layer, h), 1.0) for h in range(heads.shape[1])]
        return heads * heads.new_tensor(factors)[:, None, None]

    def replaces_attention(self, layer: int) -> bool:
        """Whether some attention matrix of `layer` is replaced."""
        return any(at == layer for at, _ in self.attention)


NO_EDITS = Edits()
