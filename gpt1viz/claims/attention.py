"""Claims about who sees whom: rows 5, 6, 11, 17 and 18. Each check takes a model and its tokenizer."""

import numpy as np
import torch
from torch import Tensor

from ..generate import generate
from ..model import GPT1, causal_mask
from ..tokenizer import Tokenizer
from ..trace import Trace
from ..training.losses import cross_entropy, token_loss
from .result import Drawing, Result, other_token, read_ids

FEW = 8  # tokens that are changed one after the other
MASKS = {"2018": -1e9, "port": -1e4, "notes": float("-inf")}


@torch.inference_mode()
def first_token(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 5: every token but the first is replaced by another: what has moved at each position?"""
    ids = read_ids(model, tokenizer, 24)
    others = ids.clone()
    others[0, 1:] = (ids[0, 1:] + 1) % model.config.n_vocab
    moved = (model(ids).hidden - model(others).hidden)[0].abs().amax(-1).cpu().numpy()  # (T,)
    names = tokenizer.pieces(ids[0].tolist())
    return Result(
        seen=bool(moved[0] == 0 and (moved[1:] > 0).all()),
        numbers={"first": float(moved[0]), "last": float(moved[-1]), "n": len(moved)},
        drawing=Drawing(
            "bars",
            (names, moved),
            titles={"value_title": "moved"},
            columns={"token": [piece.text for piece in names], "moved": moved},
        ),
    )


@torch.inference_mode()
def itself(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 6: the rows of the mask counted; then each token changed in turn: at which positions is that felt?"""
    ids = read_ids(model, tokenizer, FEW)
    trace = Trace(fields={"mask"})
    plain = model(ids, trace=trace).hidden[0]
    n = ids.shape[1]
    seen = [n] * n if trace.mask is None else trace.mask.sum(-1).tolist()  # tokens that each may look at
    felt = np.zeros((n, n))  # row: the token changed; column: where its change is felt
    for i in range(n):
        changed = model(other_token(model, ids, i)).hidden[0]
        felt[i] = (changed - plain).abs().amax(-1).cpu().numpy()
    names = tokenizer.pieces(ids[0].tolist())
    query, key = np.indices(felt.shape)
    return Result(
        seen=seen == [*range(1, n + 1)] and bool(((felt > 0) == (key >= query)).all()),
        numbers={
            "n": n,
            "visible": ", ".join(map(str, seen)),
            "own": int((np.diagonal(felt) > 0).sum()),
            "before": int((felt[key < query] > 0).sum()),
            "after": int((felt[key > query] > 0).sum()),
            "later": n * (n - 1) // 2,
        },
        drawing=Drawing(
            "heatmap",
            (felt, names, names),
            {"kind": "amount"},
            {"row_title": "itself_row", "column_title": "itself_column", "hover": "moved"},
            {"changed": query.ravel(), "felt_at": key.ravel(), "moved": felt.ravel()},
        ),
    )


def every_position(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 11: the training loss sends a gradient to every position; the next word is drawn from the last one only."""
    ids = read_ids(model, tokenizer, 24)
    with torch.no_grad():
        hidden = model(ids[:, :-1]).hidden.clone()  # (1, T, C)
        rows, _ = model.embedding_matrices()
    with torch.enable_grad():
        hidden.requires_grad_()
        loss = cross_entropy(hidden, rows, ids[:, 1:])
        (gradient,) = torch.autograd.grad(loss, hidden)
    trained = gradient[0].norm(dim=-1).cpu()  # (T,)
    losses = _losses(hidden.detach(), rows, ids[:, 1:])
    step = next(iter(generate(model, tokenizer, ids[0].tolist(), 1, seed=0)))
    with torch.no_grad():
        last = model(ids).logits[0, -1, : model.config.n_vocab].float().cpu()
    off = float((step.logits - last).abs().max() / last.abs().max())
    names = tokenizer.pieces(ids[0, 1:].tolist())
    in_training = float(token_loss(model, ids))
    return Result(
        seen=bool((trained > 0).all()) and abs(float(losses.mean()) - in_training) < 1e-3 and off < 1e-3,
        numbers={
            "n": len(trained),
            "reached": int((trained > 0).sum()),
            "mean": float(losses.mean()),
            "loss": in_training,
            "off": off,
        },
        drawing=Drawing(
            "bars",
            (names, losses.numpy()),
            {"kind": "surprisal"},
            {"value_title": "nats"},
            {"token": [piece.text for piece in names], "loss_nats": losses.numpy()},
        ),
    )


def _losses(hidden: Tensor, rows: Tensor, targets: Tensor) -> Tensor:
    """Each position's own loss in nats, (T,)."""
    log_p = (hidden @ rows.t()).log_softmax(-1)  # (1, T, V)
    return -log_p.gather(-1, targets[..., None])[0, :, 0].float().cpu()


@torch.inference_mode()
def minus_infinity(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 17: the model's own scores masked with -1e9, -1e4 and minus infinity, weights compared bit by bit."""
    ids = read_ids(model, tokenizer)
    trace = Trace(fields={"scores"})
    model(ids, trace=trace)
    scores = torch.stack([block.scores[0] for block in trace.blocks if block.scores is not None])  # (L, H, T, S)
    mask = causal_mask(ids.shape[1], ids.shape[1], scores.device)
    weights = {name: scores.masked_fill(~mask, value).softmax(-1) for name, value in MASKS.items()}
    added = (scores + torch.zeros_like(scores).masked_fill(~mask, -torch.inf)).softmax(-1)
    differ = {name: int((w != weights["2018"]).sum()) for name, w in {**weights, "added": added}.items()}
    return Result(
        seen=not any(differ.values()),
        numbers={
            "n": scores.numel(),
            "port": differ["port"],
            "infinite": differ["notes"] + differ["added"],
            "largest": float(scores.abs().max()),
        },
    )


@torch.inference_mode()
def scaling(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 18: entropy and derivative of the softmax, with the scores divided by sqrt(D) or not."""
    ids, config = read_ids(model, tokenizer), model.config
    trace = Trace(fields={"q", "k"})
    model(ids, trace=trace)
    pairs = [(b.q[0], b.k[0]) for b in trace.blocks if b.q is not None and b.k is not None]
    own = [q @ k.transpose(-2, -1) for q, k in pairs]  # (H, T, S) each
    entropy, gradient = {}, {}
    for name, scale in (("with", config.d_head**-0.5), ("without", 1.0)):
        each = [_sharpness(x * scale) for x in own]
        entropy[name], gradient[name] = np.mean(each, axis=0)
    sizes = [2**power for power in range(11)]
    draws = torch.Generator().manual_seed(0)
    vectors = [torch.randn(2, 4, 64, size, generator=draws) for size in sizes]
    products = [q @ k.transpose(-2, -1) for q, k in vectors]
    lines = {
        "÷ √D": [_sharpness(x * d**-0.5)[1] for x, d in zip(products, sizes, strict=True)],
        "q·k": [_sharpness(x)[1] for x in products],
    }
    lines = {name: np.array(values) for name, values in lines.items()}
    kept, lost = (float(x[-1] / x[0]) for x in lines.values())  # of the derivative, by the largest head
    return Result(
        seen=bool(entropy["without"] < entropy["with"] + 1e-4) and kept > 0.5 > 2 * lost,
        numbers={
            "d": config.d_head,
            "entropy": float(entropy["with"]),
            "entropy_off": float(entropy["without"]),
            "gradient": float(gradient["with"]),
            "gradient_off": float(gradient["without"]),
            "largest": sizes[-1],
            "kept": kept,
            "lost": lost,
        },
        drawing=Drawing(
            "lines",
            ([str(size) for size in sizes], lines),
            titles={"x_title": "scaling_x", "y_title": "scaling_y"},
            columns={"head_size": sizes, **lines},
        ),
    )


def _sharpness(scores: Tensor) -> tuple[float, float]:
    """Mean entropy in bits, and mean size of the softmax's derivative, over the rows of (H, T, T) masked scores.

    The derivative of softmax at w is diag(w) - w w^T; its size is the root of the sum of its squared entries.
    """
    n = scores.shape[-1]
    w = scores.masked_fill(~causal_mask(n, n, scores.device), -torch.inf).softmax(-1)[:, 1:]  # row 0 has no choice
    entropy = -(w * w.clamp(min=1e-30).log2()).sum(-1).mean()
    squares = w.pow(2).sum(-1)
    derivative = (squares - 2 * w.pow(3).sum(-1) + squares**2).clamp(min=0).sqrt().mean()
    return float(entropy), float(derivative)
