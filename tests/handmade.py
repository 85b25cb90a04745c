"""A model of two layers whose heads were written down, not learned: a previous-token head feeds an induction head.

Channels: the token (one-hot), the position (one-hot), and room for the token before. L0·H0 looks one position back and
copies what stands there into that room (the first token, which has nothing before it, itself); L1·H1 looks for its own
token in that room. The other heads look at everything alike, and the MLPs add nothing.
"""

import torch

from gpt1viz.config import GPT1Config
from gpt1viz.model import GPT1

V, N = 8, 12  # tokens, positions
TOKEN, PLACE, BEFORE = slice(0, V), slice(V, V + N), slice(V + N, 2 * V + N)
C, D = 2 * V + N, (2 * V + N) // 2
SHARP = 40.0  # factor on q, so that a softmax is close to a choice
LINE = [5, 2, 7, 1, 4, 5, 2, 7, 1, 4]  # five tokens, and again


def handmade_model() -> GPT1:
    model = GPT1(GPT1Config(n_vocab=V, n_ctx=N, n_embd=C, n_layer=2, n_head=2)).eval().requires_grad_(False)
    for block in model.h:
        for linear in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj):
            linear.weight.zero_()
    for rows in (model.tokens_embed.weight, model.positions_embed.weight):
        rows.zero_()
    model.tokens_embed.weight[:, TOKEN] = torch.eye(V)
    model.positions_embed.weight[:, PLACE] = torch.eye(N)

    first, second = (block.attn for block in model.h)
    q, k, v = (first.c_attn.weight[at : at + D] for at in (0, C, 2 * C))  # of head 0, (D, C)
    q[:N, PLACE] = SHARP * torch.eye(N).roll(-1, 0)  # dimension d is asked for by position d + 1
    k[:N, PLACE] = torch.eye(N)
    v[:V, TOKEN] = torch.eye(V)
    first.c_proj.weight[BEFORE, :V] = torch.eye(V)

    q, k = (second.c_attn.weight[at + D : at + 2 * D] for at in (0, C))  # of head 1
    q[:V, TOKEN] = SHARP * torch.eye(V)
    k[:V, BEFORE] = torch.eye(V)
    return model
