"""GPT-1: the decoder of Radford et al., "Improving Language Understanding by Generative Pre-Training", 2018.

Dimensions, in every shape comment: B batch, T query positions, S key positions (T plus what a cache holds),
H heads, D head size, C channels (n_embd), F MLP width (4C), V rows of the vocabulary, L layers.
Parameter names follow the 2018 release (train.py) and its Hugging Face port; matrices are (out, in) here.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import GPT1Config
from .errors import GPT1VizError
from .linear import Linear, linear
from .trace import MASKED, NO_EDITS, BlockTrace, Edits, Trace

if TYPE_CHECKING:
    from .generate import Cache

ACTIVATIONS = {
    "gelu": lambda x: F.gelu(x, approximate="tanh"),  # 0.5x(1 + tanh(sqrt(2/pi)(x + 0.044715x^3)))
    "relu": F.relu,
    "silu": F.silu,
}


class Output(NamedTuple):
    """What a forward pass returns: logits (B, T, V) and the last block's hidden states (B, T, C)."""

    logits: Tensor
    hidden: Tensor


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    dropout: float = 0.0,
    layer: int = 0,
    record: BlockTrace | None = None,
    edits: Edits = NO_EDITS,
) -> Tensor:
    """Scaled dot-product attention: each query takes a weighted average of the values it may see.

        weights = softmax(mask(q k^T / sqrt(D)));    heads = weights v

    Args:
        q: queries (B, H, T, D).
        k, v: keys and values (B, H, S, D).
        mask: (T, S), True where a query may look; None hides nothing.
        scale: factor on q k^T; None is 1/sqrt(D).
        is_causal: says that `mask` is the plain lower triangle of T = S, which a fused kernel knows by itself.
        dropout: rate on the weights.
        layer: which layer's edits apply.
        record: keeps `scores` and `weights` when it wants them.
        edits: attention matrices to put in place of the computed ones.

    Returns:
        heads (B, H, T, D). The fused and the written-out path agree to 1e-5 of the logits' scale.

    Source: Vaswani et al. 2017, section 3.2.1; `_attn` and `mask_attn_weights` in the 2018 train.py.
    """
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    record = BlockTrace() if record is None else record
    if not record.wants("scores", "weights") and not edits.replaces_attention(layer):
        seen = None if is_causal else mask
        return F.scaled_dot_product_attention(q, k, v, seen, dropout_p=dropout, is_causal=is_causal, scale=scale)
    scores = q @ k.transpose(-2, -1) * scale  # (B, H, T, S)
    masked_scores = scores if mask is None else scores.where(mask, MASKED)  # (B, H, T, S)
    weights = edits.weights(masked_scores.softmax(dim=-1), layer)  # (B, H, T, S)
    record.record(scores=scores, weights=weights)
    return F.dropout(weights, dropout) @ v  # (B, H, T, D)


class Attention(nn.Module):
    """Multi-head self-attention (paper section 4.1): H heads side by side, joined by an output projection."""

    def __init__(self, config: GPT1Config):
        super().__init__()
        self.config = config
        self.c_attn = Linear(config.n_embd, 3 * config.n_embd)  # q, k, v in this order
        self.c_proj = Linear(config.n_embd, config.n_embd)
        self.resid_drop = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor, mask: Tensor | None, layer: int, record: BlockTrace, edits: Edits, cache) -> Tensor:
        """x (B, T, C) -> what attention adds to the residual stream (B, T, C)."""
        config, n_new = self.config, x.shape[1]
        joined = self.c_attn(x).unflatten(-1, (3, config.n_head, config.d_head))  # (B, T, 3, H, D)
        q, k, v = (part.transpose(1, 2) for part in joined.unbind(2))  # each (B, H, T, D)
        if cache is not None:
            k, v = cache.update(layer, k, v)  # (B, H, S, D)
        scale = None if config.scale_attn else 1.0
        is_causal = mask is not None and n_new == k.shape[2]
        dropout = config.attn_pdrop if self.training else 0.0
        heads = attend(
            q, k, v, mask, scale=scale, is_causal=is_causal, dropout=dropout, layer=layer, record=record, edits=edits
        )
        heads = edits.scaled(heads, layer)  # (B, H, T, D)
        attn_out = self.c_proj(heads.transpose(1, 2).flatten(2))  # (B, T, C)
        record.record(q=q, k=k, v=v, heads=heads, attn_out=attn_out)
        return self.resid_drop(attn_out)


class MLP(nn.Module):
    """Position-wise feed-forward layer: gelu(x W1 + b1) W2 + b2, four times as wide inside."""

    def __init__(self, config: GPT1Config):
        super().__init__()
        self.c_fc = Linear(config.n_embd, 4 * config.n_embd)
        self.c_proj = Linear(4 * config.n_embd, config.n_embd)
        self.act = ACTIVATIONS[config.afn]
        self.resid_drop = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor, record: BlockTrace) -> Tensor:
        """x (B, T, C) -> what the MLP adds to the residual stream (B, T, C)."""
        mlp_pre = self.c_fc(x)  # (B, T, F)
        mlp_hidden = self.act(mlp_pre)  # (B, T, F)
        mlp_out = self.c_proj(mlp_hidden)  # (B, T, C)
        record.record(mlp_pre=mlp_pre, mlp_hidden=mlp_hidden, mlp_out=mlp_out)
        return self.resid_drop(mlp_out)


class Block(nn.Module):
    """One transformer block. GPT-1 normalises after each addition (post-LN); `block` in the 2018 train.py.

    post:  n = ln_1(x + attn(x));   out = ln_2(n + mlp(n))
    pre:   n = x + attn(ln_1(x));   out = n + mlp(ln_2(n))      (GPT-2, a teaching switch)
    """

    def __init__(self, config: GPT1Config):
        super().__init__()
        self.norm = config.norm
        self.attn = Attention(config)
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=1e-5)
        self.mlp = MLP(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=1e-5)

    def forward(self, x: Tensor, mask: Tensor | None, layer: int, record: BlockTrace, edits: Edits, cache) -> Tensor:
        """x (B, T, C) -> out (B, T, C)."""
        if self.norm == "post":
            resid_mid = x + self.attn(x, mask, layer, record, edits, cache)  # (B, T, C)
            ln_1 = self.ln_1(resid_mid)  # (B, T, C)
            resid_out = ln_1 + self.mlp(ln_1, record)  # (B, T, C)
            out = ln_2 = self.ln_2(resid_out)  # (B, T, C)
        else:
            ln_1 = self.ln_1(x)
            resid_mid = x + self.attn(ln_1, mask, layer, record, edits, cache)
            ln_2 = self.ln_2(resid_mid)
            out = resid_out = resid_mid + self.mlp(ln_2, record)
        record.record(resid_in=x, resid_mid=resid_mid, ln_1=ln_1, resid_out=resid_out, ln_2=ln_2, out=out)
        return out


class GPT1(nn.Module):
    """The language model: token and position embeddings, L blocks, and a head tied to the token embeddings.

        h_0 = U W_e + W_p;   h_l = block(h_{l-1});   P(u) = softmax(h_L W_e^T)          (paper section 3.1)

    Weights start at N(0, 0.02), biases at 0, gains at 1 (section 4.1).
    """

    def __init__(self, config: GPT1Config):
        super().__init__()
        self.config = config
        self.tokens_embed = nn.Embedding(config.n_rows, config.n_embd)
        if config.positions == "learned":
            self.positions_embed = nn.Embedding(config.n_ctx, config.n_embd)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, eps=1e-5) if config.norm == "pre" else nn.Identity()
        self.apply(_initialise)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.tokens_embed.weight.device

    def embedding_matrices(self) -> tuple[Tensor, Tensor]:
        """Token rows (V, C) and position rows (n_ctx, C).

        In training, dropout falls on the matrices' entries, as in the 2018 code, so that the tied head sees the same
        dropped matrix as the input.
        """
        config = self.config
        if config.positions == "learned":
            positions = self.positions_embed.weight
        elif config.positions == "sinusoidal":
            positions = sinusoids(config.n_ctx, config.n_embd).to(self.tokens_embed.weight)
        else:
            positions = self.tokens_embed.weight.new_zeros(config.n_ctx, config.n_embd)
        drop = config.embd_pdrop if self.training else 0.0
        return F.dropout(self.tokens_embed.weight, drop), F.dropout(positions, drop)

    def forward(
        self,
        ids: Tensor,
        *,
        trace: Trace | None = None,
        edits: Edits | None = None,
        cache: "Cache | None" = None,
        joint_softmax: bool = False,
        head: Callable[[Tensor, Tensor], Tensor] = linear,
    ) -> Output:
        """Logits for the token after each position.

        Args:
            ids: token rows (B, T), integers.
            trace: records what it asks for.
            edits: changes this pass only.
            cache: keys and values of the positions before `ids`; this pass adds its own.
            joint_softmax: score the position rows too, as the 2018 fine-tuning code does with its single matrix.
            head: makes the logits of `hidden` and the rows (V, C); another may score fewer positions, or be a loss.

        Returns:
            Output(logits (B, T, V) or (B, T, V + n_ctx) when joint, hidden (B, T, C)).

        Raises:
            GPT1VizError: no tokens, more than n_ctx of them, or edits that do not fit.
        """
        config, edits = self.config, edits or NO_EDITS
        n_past, n_new = (0 if cache is None else cache.length), ids.shape[1]
        if n_new == 0:
            raise GPT1VizError("no_tokens")
        if n_past + n_new > config.n_ctx:
            raise GPT1VizError("too_long", n=n_past + n_new, n_ctx=config.n_ctx)
        edits.check(config, n_past, n_new)
        trace = Trace(fields=()) if trace is None else trace
        trace.start(config.n_layer)

        token_rows, position_rows = self.embedding_matrices()
        tokens = F.embedding(ids, token_rows)  # (B, T, C)
        positions = position_rows[n_past : n_past + n_new]  # (T, C)
        x = tokens + positions  # (B, T, C)
        causal = config.causal if edits.causal is None else edits.causal
        mask = causal_mask(n_new, n_past + n_new, ids.device) if causal else None  # (T, S)
        trace.record(tokens=tokens, positions=positions.clone(), embed=x, mask=mask)  # a copy: rows are the model's own

        for layer, block in enumerate(self.h):
            x = block(edits.stream(x, layer), mask, layer, trace.block(layer), edits, cache)  # (B, T, C)
        hidden = self.ln_f(edits.stream(x, config.n_layer))  # (B, T, C)
        rows = torch.cat([token_rows, position_rows]) if joint_softmax else token_rows  # (V, C)
        logits = head(hidden, rows)  # (B, T, V)
        trace.record(hidden=hidden, logits=logits)
        if cache is not None:
            cache.length += n_new
        return Output(logits, hidden)


class TaskHead(nn.Module):
    """The linear layer that fine-tuning adds: P(y | x) = softmax(h W), h at the extract token (paper section 3.2).

    Args:
        kind: "classification", "entailment" (read alike), "similarity", "choice" or "token".
        n_embd: channels C.
        labels: names of the classes; one score a choice needs none.
        clf_pdrop: dropout on h; the choices of one example share their mask, as in 2018.
    """

    KINDS = ("classification", "entailment", "similarity", "choice", "token")

    def __init__(self, kind: str, n_embd: int, labels: tuple[str, ...] = (), clf_pdrop: float = 0.1):
        super().__init__()
        if kind not in self.KINDS:
            raise GPT1VizError("task_kind", kind=kind, allowed=", ".join(self.KINDS))
        self.kind, self.labels, self.clf_pdrop = kind, tuple(labels), clf_pdrop
        self.clf = nn.Linear(n_embd, 1 if kind == "choice" else len(labels))
        self.apply(_initialise)

    def forward(self, hidden: Tensor, extract: Tensor | None = None) -> Tensor:
        """Scores of the classes or choices.

        Args:
            hidden: (B, T, C); for similarity (B, 2, T, C), both orders; for choice (B, K, T, C).
            extract: position of the extract token, (B,), (B, 2) or (B, K); not needed for "token".

        Returns:
            classification, entailment and similarity (B, n_classes); choice (B, K); token (B, T, n_classes).
        """
        if self.kind == "token":
            return self.clf(F.dropout(hidden, self.clf_pdrop, self.training))
        assert extract is not None
        at = extract[..., None, None].expand(*extract.shape, 1, hidden.shape[-1])
        h = hidden.gather(-2, at).squeeze(-2)  # (B, C), (B, 2, C) or (B, K, C)
        if self.kind == "similarity":
            h = h.sum(dim=1)  # (B, C)
        if self.kind == "choice":
            keep = F.dropout(torch.ones_like(h[:, :1]), self.clf_pdrop, self.training)  # (B, 1, C)
            return self.clf(h * keep).squeeze(-1)  # (B, K)
        return self.clf(F.dropout(h, self.clf_pdrop, self.training))  # (B, n_classes)


def lm_loss(logits: Tensor, ids: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean -log P(u_i | u_1 ... u_{i-1}) of each sequence in nats, (B,): the paper's L1 with its sign turned.

    Args:
        logits: (B, T, V).
        ids: (B, T), the same tokens the model read.
        mask: (B, T), 1 for tokens and 0 for padding; None counts all.
    """
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")  # (B, T-1)
    counted = torch.ones_like(losses) if mask is None else mask[:, 1:].to(losses)
    return (losses * counted).sum(1) / counted.sum(1)


def causal_mask(n_queries: int, n_keys: int, device: torch.device | None = None) -> Tensor:
    """(T, S) booleans, True where a query may look: at itself and before. The last query sits at the last key."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=device).tril(n_keys - n_queries)


def sinusoids(n_ctx: int, n_embd: int) -> Tensor:
    """Fixed positions of the 2017 Transformer (n_ctx, C): sin on even channels, cos on odd (section 3.5)."""
    rates = torch.exp(torch.arange(0, n_embd, 2) * (-math.log(10000.0) / n_embd))  # (ceil(C/2),)
    angles = torch.arange(n_ctx)[:, None] * rates  # (n_ctx, ceil(C/2))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :n_embd]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
