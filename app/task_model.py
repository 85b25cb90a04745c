"""What a model makes of the rows of a task: hidden states, scores of the classes, and what an edited word moves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from gpt1viz.checkpoints import Loaded
from gpt1viz.config import GPT1Config
from gpt1viz.inputs import N_SPECIAL, Example, collate
from gpt1viz.model import GPT1
from gpt1viz.trace import Edits


def task_config(config: GPT1Config, n_ctx: int | None = None) -> GPT1Config:
    """The shape that rows are laid out for: with the three special rows, and cut at n_ctx."""
    return replace(config, n_special=N_SPECIAL, n_ctx=n_ctx or config.n_ctx)


def has_special_rows(model: GPT1) -> bool:
    """Whether the model has learned start, delimiter and extract rows."""
    return model.config.n_special == N_SPECIAL


def new_rows(config: GPT1Config, seed: int = 0) -> Tensor:
    """Start, delimiter and extract rows (3, C) as fine-tuning begins with them: N(0, 0.02) (train.py of 2018)."""
    return 0.02 * torch.randn(N_SPECIAL, config.n_embd, generator=torch.Generator().manual_seed(seed))


def no_logits(hidden: Tensor, rows: Tensor) -> Tensor:
    """A head for those who want the hidden states only."""
    return hidden[..., :0]


@torch.inference_mode()
def hidden_states(model: GPT1, ids: Sequence[int], length: int) -> Tensor:
    """What leaves the last block, (T, C), for a row padded to `length` T.

    A model that was never fine-tuned gets `new_rows`: their vectors, plus the position's, enter its first block.
    """
    config, row = model.config, torch.zeros(length, dtype=torch.long)
    row[: len(ids)] = torch.tensor(ids)
    residual = {}
    if not has_special_rows(model):
        special, (_, positions) = new_rows(config), model.embedding_matrices()
        for position in (row >= config.n_vocab).nonzero().flatten().tolist():
            residual[0, position] = special[row[position] - config.n_vocab] + positions[position].cpu()
            row[position] = 0
    output = model(row[None].to(model.device), edits=Edits(residual=residual), head=no_logits)
    return output.hidden[0].float().cpu()


@torch.inference_mode()
def class_scores(loaded: Loaded, example: Example) -> Tensor:
    """hW for one example: (n_classes,), one a choice, or (T, n_classes) for a class a word."""
    model, task = loaded.model, loaded.task
    assert task is not None
    batch = collate([example]).to(model.device)
    hidden = model(batch.ids.flatten(0, -2), head=no_logits).hidden  # (rows, T, C)
    hidden = hidden.view(*batch.ids.shape, -1)  # (1, T, C), or (1, 2, T, C), or (1, K, T, C)
    return task(hidden, batch.extract)[0].float().cpu()


@st.cache_data(max_entries=32, show_spinner=False)
def hidden(model_id: str, stamp: float, _model: GPT1, ids: tuple[int, ...], length: int) -> np.ndarray:
    """`hidden_states`, kept."""
    return hidden_states(_model, ids, length).numpy()


def scores(model_id: str, stamp: float, loaded: Loaded, example: Example) -> np.ndarray:
    """`class_scores`, kept."""
    return _scores(model_id, stamp, loaded, example, tuple(row.ids for row in example.rows))


@st.cache_data(max_entries=32, show_spinner=False)
def _scores(model_id: str, stamp: float, _loaded: Loaded, _example: Example, ids: tuple) -> np.ndarray:
    return class_scores(_loaded, _example).numpy()


def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """|h' - h| / |h| of every vector (T, C) -> (T,)."""
    return np.linalg.norm(after - before, axis=-1) / np.linalg.norm(before, axis=-1)
