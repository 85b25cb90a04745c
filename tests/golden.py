"""Numbers computed by OpenAI's own 2018 code on a small random model, and its names for the parameters.

data/finetune.npz holds eight fine-tuning steps of the released TensorFlow graph on pairs of choices: `config` (JSON),
`init/NAME`, `after1/NAME`, `after8/NAME` (parameters by their 2018 names), `stepK/x` (examples, 2, n_ctx, [token row,
position row]), `stepK/m` (1 for tokens, 0 for padding), `stepK/y`, and what the graph computed before update K:
`stepK/clf_logits`, `stepK/clf_loss`, `stepK/lm_loss`. The environment variable GPT1VIZ_GOLDEN names another such file.
"""

import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gpt1viz.config import GPT1Config

PATH = Path(os.environ.get("GPT1VIZ_GOLDEN", Path(__file__).parent / "data" / "finetune.npz"))
N_SPECIAL = 3  # start, delimiter, extract, in this order after the vocabulary


class Golden:
    """The file, in the shapes and names of this project."""

    def __init__(self, path: Path = PATH):
        self.arrays = dict(np.load(path))
        self.settings: dict = json.loads(str(self.arrays["config"]))
        names = ("n_vocab", "n_ctx", "n_embd", "n_layer", "n_head")
        no_dropout = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop", "clf_pdrop"), 0.0)
        self.config = GPT1Config(n_special=N_SPECIAL, **{name: self.settings[name] for name in names}, **no_dropout)
        self.extract_row = self.config.n_rows - 1

    def weights(self, when: str = "init") -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """State dicts of GPT1 and of TaskHead, `when` being "init", "after1" or "after8"."""
        prefix = f"{when}/model/"
        model, head = {}, {}
        for name, array in self.arrays.items():
            if name.startswith(prefix):
                name = name.removeprefix(prefix).removesuffix(":0")
                (head if name.startswith("clf/") else model).update(self.renamed(name, torch.tensor(array)))
        return model, head

    def renamed(self, name: str, value: Tensor) -> dict[str, Tensor]:
        """One parameter of 2018 as ours: `h0/attn/c_attn/w` (1, in, out) -> `h.0.attn.c_attn.weight` (out, in).

        The joint matrix `we` becomes two: token rows (the special ones among them), then position rows.
        """
        if name == "we":
            n_rows = self.config.n_rows
            return {"tokens_embed.weight": value[:n_rows], "positions_embed.weight": value[n_rows:]}
        *path, kind = name.split("/")
        path = ["h", path[0][1:], *path[1:]] if path[0] != "clf" else path
        if kind == "w":
            value = value.reshape(value.shape[-2:]).T
        return {".".join([*path, {"w": "weight", "g": "weight", "b": "bias"}[kind]]): value}

    def step(self, k: int) -> "GoldenStep":
        return GoldenStep(self, k)


class GoldenStep:
    """Inputs and results of update k, as tensors.

    Attributes:
        ids: token rows (examples, 2, T) and positions' rows in the joint matrix, of the same shape.
        mask: (examples, 2, T), 1 for tokens.
        extract: (examples, 2), where the extract token stands.
        y: (examples,), the right choice.
        clf_logits, clf_loss, lm_loss: (examples, 2), (examples,), (examples * 2,).
    """

    def __init__(self, golden: Golden, k: int):
        def read(name):
            return torch.tensor(golden.arrays[f"step{k}/{name}"])

        self.ids, self.positions = read("x").long().unbind(-1)
        self.mask = read("m").reshape(self.ids.shape)
        self.extract = (self.ids == golden.extract_row).int().argmax(-1)
        self.y = read("y").long()
        self.clf_logits, self.clf_loss, self.lm_loss = read("clf_logits"), read("clf_loss"), read("lm_loss")
