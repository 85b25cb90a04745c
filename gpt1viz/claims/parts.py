"""Claims about what GPT-1 is made of: rows 1, 2, 3, 4, 10, 12, 14, 19. Each check takes a model and its tokenizer."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import GPT1Config
from ..inputs import N_SPECIAL, SPECIAL_ENTRIES, layout
from ..model import ACTIVATIONS, GPT1, Block, sinusoids
from ..tokenizer import Tokenizer
from ..trace import Trace
from ..training.finetune import transferred
from ..training.losses import token_loss
from .result import Drawing, Result, read_ids, switched

PAPER = GPT1Config.preset("gpt1")
PARAMETERS = 116_534_784  # the paper's shape with the 40,478 rows of the released vocabulary
STD = 0.02  # of new weights, section 4.1


@torch.inference_mode()
def relu(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 1: the MLP's activation, recomputed by hand from what goes into it; and what ReLU does to the loss."""
    ids = read_ids(model, tokenizer)
    trace = Trace(fields={"mlp_pre", "mlp_hidden"})
    model(ids, trace=trace)
    before = torch.stack([b.mlp_pre for b in trace.blocks if b.mlp_pre is not None])  # (L, B, T, F)
    after = torch.stack([b.mlp_hidden for b in trace.blocks if b.mlp_hidden is not None])
    gelu = 0.5 * before * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (before + 0.044715 * before**3)))
    off_gelu, off_relu = (float((after - by_hand).abs().max()) for by_hand in (gelu, before.relu()))
    losses = {name: float(token_loss(switched(model, afn=name), ids)) for name in ("gelu", "relu")}
    x = torch.linspace(-4, 2, 61)
    curves = {name: ACTIVATIONS[key](x).numpy() for name, key in (("GELU", "gelu"), ("ReLU", "relu"))}
    return Result(
        seen=off_gelu < 1e-4 < off_relu,
        numbers={**losses, "off_gelu": off_gelu, "off_relu": off_relu},
        drawing=Drawing(
            "lines",
            (x.tolist(), curves),
            titles={"x_title": "relu_x", "y_title": "relu_y"},
            columns={"x": x.numpy(), **curves},
        ),
    )


@torch.inference_mode()
def vocabulary(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 2: merges, single symbols and `<unk>` counted, against the embedding's rows and the width of the logits."""
    merged = {left + right for left, right in tokenizer.merges}
    single = tokenizer.vocab.keys() - merged
    width = model(read_ids(model, tokenizer, 4)).logits.shape[-1]
    with torch.device("meta"):
        paper, tuned = (GPT1(replace(PAPER, n_special=n, n_layer=1)).tokens_embed for n in (0, N_SPECIAL))
    entries = len(merged & tokenizer.vocab.keys()) + len(single)
    return Result(
        seen=entries == tokenizer.n_vocab == width - model.config.n_special > len(tokenizer.merges)
        and (paper.num_embeddings, tuned.num_embeddings) == (40_478, 40_481),
        numbers={
            "merges": len(tokenizer.merges),
            "single": len(single),
            "entries": entries,
            "width": width,
            "paper": paper.num_embeddings,
            "tuned": tuned.num_embeddings,
        },
    )


def parameters(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 3: the paper's shape counted twice, by arithmetic and in the module; and the loaded model in the same way."""
    with torch.device("meta"):
        paper = GPT1(PAPER)
    c = PAPER.n_embd
    parts = {
        "tokens": PAPER.n_vocab * c,
        "positions": PAPER.n_ctx * c,
        "attention": PAPER.n_layer * (c * 3 * c + 3 * c + c * c + c),
        "MLP": PAPER.n_layer * (c * 4 * c + 4 * c + 4 * c * c + c),
        "LayerNorm": PAPER.n_layer * 4 * c,
    }
    module = sum(p.numel() for p in paper.parameters())
    own = sum(p.numel() for p in model.parameters())
    return Result(
        seen=sum(parts.values()) == module == PARAMETERS and own == model.config.n_params,
        numbers={
            "arithmetic": sum(parts.values()),
            "module": module,
            "embeddings": parts["tokens"] + parts["positions"],
            "block": (parts["attention"] + parts["MLP"] + parts["LayerNorm"]) // PAPER.n_layer,
            "own": own,
        },
        drawing=Drawing(
            "bars",
            ([*parts], np.array([*parts.values()])),
            {"texts": [f"{n:,}" for n in parts.values()]},
            {"value_title": "parameters_x"},
            {"part": [*parts], "parameters": [*parts.values()]},
            {name: f"parameters_{name}" for name in ("tokens", "positions", "attention")},
        ),
    )


@torch.inference_mode()
def segments(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 4: the matrices outside the blocks, and whether their rows alone make what enters the first block."""
    ids = read_ids(model, tokenizer)
    trace = Trace(fields={"embed"})
    model(ids, trace=trace)
    outside = {name: p for name, p in model.named_parameters() if not name.startswith("h.") and p.ndim > 1}
    by_hand = outside["tokens_embed.weight"][ids]  # (1, T, C)
    if "positions_embed.weight" in outside:
        by_hand = by_hand + outside["positions_embed.weight"][: ids.shape[1]]
    assert trace.embed is not None
    off = float((trace.embed - by_hand).abs().max())
    return Result(
        seen=outside.keys() == {"tokens_embed.weight", "positions_embed.weight"} and off == 0,
        numbers={
            "matrices": ", ".join(f"{name} {p.shape[0]:,} × {p.shape[1]}" for name, p in outside.items()),
            "off": off,
        },
    )


def post_ln(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 10: each block's output recomputed as LayerNorm(n + MLP(n)); gradients of new models, post-LN and pre-LN."""
    ids, trace = read_ids(model, tokenizer), Trace(fields={"ln_1", "mlp_out", "out"})
    with torch.inference_mode():
        model(ids, trace=trace)
        off = 0.0
        for block, seen in zip(model.h, trace.blocks, strict=True):
            assert isinstance(block, Block)
            assert seen.ln_1 is not None and seen.mlp_out is not None and seen.out is not None
            by_hand = F.layer_norm(seen.ln_1 + seen.mlp_out, (model.config.n_embd,), block.ln_2.weight, block.ln_2.bias)
            off = max(off, float((seen.out - by_hand).abs().max()))
    final = sum(name.startswith("ln_f") for name, _ in model.named_parameters())
    norms = {f"{norm}-LN": gradient_norms(norm) for norm in ("post", "pre")}
    ratios = {f"{norm.partition('-')[0]}_ratio": float(x[0] / x[-1]) for norm, x in norms.items()}
    layers = [f"L{layer}" for layer in range(PAPER.n_layer)]
    return Result(
        seen=off < 1e-4 and final == 0,
        numbers={"off": off, "final": final, **ratios},
        drawing=Drawing(
            "lines",
            (layers, norms),
            {"log": True},
            {"x_title": "layer", "y_title": "post_ln_y"},
            {"layer": layers, **norms},
        ),
    )


def gradient_norms(norm: str) -> np.ndarray:
    """Length of the loss's gradient by each block's `mlp.c_proj`, (L,), in a new model on random tokens."""
    config = GPT1Config(n_vocab=512, n_ctx=32, n_embd=192, n_head=6, n_layer=PAPER.n_layer, norm=norm)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        model = GPT1(config).eval()
        ids = torch.randint(config.n_vocab, (4, config.n_ctx + 1))
    projections = [model.get_parameter(f"h.{layer}.mlp.c_proj.weight") for layer in range(config.n_layer)]
    return np.array([float(g.norm()) for g in torch.autograd.grad(token_loss(model, ids), projections)])


@torch.inference_mode()
def tied(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 12: logits by hand from the token rows; and the softmax mass on position rows in the joint matrix of 2018."""
    ids, config = read_ids(model, tokenizer), model.config
    logits, hidden = model(ids)
    rows, (_, positions) = model.tokens_embed.weight, model.embedding_matrices()
    off = float((logits - hidden @ rows.t()).abs().max() / logits.abs().max())
    joint = model(ids, joint_softmax=True).logits.softmax(-1)[0]  # (T, V + n_ctx)
    mass = joint[:, config.n_rows :].sum(-1)  # (T,)
    heads = [name for name, p in model.named_parameters() if p.shape == rows.shape and name != "tokens_embed.weight"]
    return Result(
        seen=off < 1e-4 and not heads and joint.shape[-1] == len(rows) + len(positions) and float(mass.max()) > 0,
        numbers={"off": off, "saved": rows.numel(), "width": joint.shape[-1], "mass": float(mass.mean())},
    )


@torch.no_grad()
def special(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 14: the embedding before and after `transferred` readies a model for fine-tuning; the layout of a pair."""
    config, n_vocab = replace(model.config, n_special=N_SPECIAL, n_layer=1), model.config.n_vocab
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ready = transferred(_without_special(model), config).tokens_embed.weight  # (V + 3, C)
    new, old = ready[n_vocab:], ready[:n_vocab]
    ids = layout("entailment", ("a fox ran .", "the fox is quick ."), tokenizer, config).rows[0].ids
    typed = tokenizer.encode("<s> $ <e>")
    std = float(new.pow(2).mean().sqrt())
    same = torch.equal(old, model.tokens_embed.weight[:n_vocab].to(old))
    return Result(
        seen=same
        and len(new) == N_SPECIAL
        and abs(std - STD) < 5 * STD / (2 * new.numel()) ** 0.5  # five times its standard error
        and [i for i in ids if i >= n_vocab] == [n_vocab, n_vocab + 1, n_vocab + 2]
        and max(typed) < n_vocab,
        numbers={
            "before": n_vocab,
            "after": len(ready),
            "std": std,
            "old_std": float(old.pow(2).mean().sqrt()),
            "names": ", ".join(f"{name} = {n_vocab + k:,}" for k, name in enumerate(SPECIAL_ENTRIES)),
            "typed": len(typed),
        },
    )


def _without_special(model: GPT1) -> GPT1:
    """The same weights without the special rows, if there are any, as pre-training leaves them."""
    with torch.device("meta"):
        other = GPT1(replace(model.config, n_special=0, n_layer=1))
    own = {name: p for name, p in model.state_dict().items() if name in other.state_dict()}
    own["tokens_embed.weight"] = own["tokens_embed.weight"][: model.config.n_vocab]
    other.load_state_dict(own, assign=True)
    return other


@torch.inference_mode()
def positions(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 19: the learned rows against the sinusoids of 2017; the loss on its weights with either and with none."""
    config, ids = model.config, read_ids(model, tokenizer)
    learned = dict(model.named_parameters()).get("positions_embed.weight")
    if learned is None:
        return Result(False, {"rows": 0, "cosine": 1.0, "learned": 0.0, "sinusoidal": 0.0, "none": 0.0})
    fixed = sinusoids(config.n_ctx, config.n_embd).to(learned)
    kinds = ("learned", "sinusoidal", "none")
    losses = {kind: float(token_loss(switched(model, positions=kind), ids)) for kind in kinds}
    here, place = config.n_ctx // 2, [*range(config.n_ctx)]
    similar = {name: _cosines(rows, here) for name, rows in (("learned", learned), ("sinusoidal", fixed))}
    return Result(
        seen=float(F.cosine_similarity(learned, fixed).abs().mean()) < 0.5,
        numbers={
            **losses,
            "rows": len(learned),
            "cosine": float(F.cosine_similarity(learned, fixed).abs().mean()),
        },
        drawing=Drawing(
            "lines",
            (place, similar),
            {"marked": here},
            {"x_title": "position", "y_title": "positions_y"},
            {"position": place, **similar},
            {name: f"positions_{name}" for name in similar},
        ),
    )


def _cosines(rows: Tensor, here: int) -> np.ndarray:
    """Cosine of each row with one of them, (N,)."""
    return F.cosine_similarity(rows, rows[here : here + 1]).cpu().numpy()
