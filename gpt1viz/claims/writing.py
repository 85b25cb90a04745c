"""The claim about faster writing: row 20."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ..analysis import speculative
from ..model import GPT1
from ..tokenizer import Tokenizer
from .result import Drawing, Result, read_ids

N_DRAWS = 4000  # tokens drawn both ways for the test of one distribution
N_TOKENS, N_AHEAD = 24, 3  # written behind the text, and proposed at a time
SURE = 0.001  # below this chance two distributions are called different


def bigram(model: GPT1) -> Callable[[list[int]], Tensor]:
    """A draft that looks at the last token only: a table of what the model expects behind each token, filled as needed.

    Returns:
        ids so far -> probabilities (V,) of the next token, float64.
    """

    @cache
    def row(token: int) -> Tensor:
        logits = model(torch.tensor([[token]], device=model.device)).logits[0, -1, : model.config.n_vocab]
        return logits.double().softmax(-1).cpu()

    return lambda ids: row(ids[-1])


@torch.inference_mode()
def draft(model: GPT1, tokenizer: Tokenizer) -> Result:
    """Row 20: a bigram table proposes, the model checks. Is what is written distributed as the model alone writes?"""
    config, table = model.config, bigram(model)
    ids = read_ids(model, tokenizer, min(24, config.n_ctx // 2))[0].tolist()
    p = model(torch.tensor([ids], device=model.device)).logits[0, -1, : config.n_vocab].double().softmax(-1).cpu()
    q = table(ids)
    draws = torch.Generator().manual_seed(0)
    proposed = torch.multinomial(q, N_DRAWS, replacement=True, generator=draws)
    written, accepted = speculative.check(p, q, proposed, draws)
    counts = {
        name: np.bincount(tokens.numpy(), minlength=len(p))
        for name, tokens in (("checked", written), ("draft", proposed))
    }
    chance = {name: speculative.same_distribution(n, p.numpy()) for name, n in counts.items()}
    overlap = float(torch.minimum(p, q).sum())
    spread = (overlap * (1 - overlap) / N_DRAWS) ** 0.5
    rate = float(accepted.double().mean())
    numbers = {
        "n": N_DRAWS,
        "rate": rate,
        "overlap": overlap,
        "chance": chance["checked"],
        "chance_draft": chance["draft"],
    }
    n_tokens = min(N_TOKENS, config.n_ctx - len(ids) - N_AHEAD)
    whole = speculative.write(model, table, ids, n_tokens, n_ahead=N_AHEAD)
    numbers |= {"tokens": n_tokens, "passes": whole.passes}
    top = p.topk(min(6, len(p))).indices.numpy()
    names = tokenizer.pieces(top.tolist())
    shares = {name: n[top] / N_DRAWS for name, n in counts.items()}
    return Result(
        seen=chance["checked"] > SURE and abs(rate - overlap) < 4 * spread + 1e-6,
        numbers=numbers,
        drawing=Drawing(
            "heatmap",
            (np.stack([p.numpy()[top], shares["checked"], shares["draft"]]), ["p", "q→p", "q"], names),
            {
                "kind": "probability",
                "cell": 44,
                "texts": [[f"{x:.1%}" for x in row] for row in (p.numpy()[top], *shares.values())],
            },
            {"hover": "probability"},
            {"token": [piece.text for piece in names], "target": p.numpy()[top], **shares},
        ),
    )
