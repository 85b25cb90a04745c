"""What a fine-tuned run says of its validation split: who was taken for what, the errors, the attention that moved."""

from collections.abc import Sequence
from html import escape

import models
import numpy as np
import streamlit as st
import task_files
import torch
from token_panels import shortened

from gpt1viz.checkpoints import Loaded
from gpt1viz.figures import numbers
from gpt1viz.inputs import Row, Span
from gpt1viz.text import t
from gpt1viz.trace import Trace


def is_scores(rows: Sequence[dict]) -> bool:
    """Whether labels are scores, which no matrix of classes holds."""
    return any(isinstance(row["prediction"], float) for row in rows)


def classes_of(task: dict, rows: Sequence[dict], lang: str) -> list[str]:
    """Names of the classes; of choices their numbers."""
    if task["labels"]:
        return list(task["labels"])
    return [t("inputs.field_answer", lang, n=k + 1) for k in range(len(rows[0]["probabilities"]))]


def confused(rows: Sequence[dict], n: int) -> np.ndarray:
    """How often each class (row) was taken for each (column), (n, n), counted from predictions.jsonl."""
    counts = np.zeros((n, n), np.int64)
    for row in rows:
        label, prediction = np.atleast_1d(row["label"]), np.atleast_1d(row["prediction"])
        np.add.at(counts, (label, prediction), 1)
    return counts


def errors(rows: Sequence[dict]) -> list[dict]:
    """The wrong ones, the surest first; scores by how far they are off."""
    if is_scores(rows):
        return sorted(rows, key=lambda row: -abs(row["label"] - row["prediction"]))
    wrong = [row for row in rows if row["label"] != row["prediction"]]
    return sorted(wrong, key=lambda row: -float(np.max(row["probabilities"])))


def errors_table(rows: Sequence[dict], task: dict, lang: str) -> str:
    """Texts, true label, prediction and its probability. For `panels.page`."""
    body = ""
    for row in rows:
        texts = "<br>".join(escape(shortened(text, task_files.LONGEST)) for text in row["texts"] if text)
        true, said = (task_files.label_name(task["labels"], row[name]) for name in ("label", "prediction"))
        sure = "" if task["kind"] == "token" else numbers.percent(float(np.max(row["probabilities"])))
        if task["kind"] == "token":
            words = row["texts"][0].split()
            pairs = [pair for pair in zip(words, row["label"], row["prediction"], strict=False) if pair[1] != pair[2]]
            true, said = ("\n".join(f"{pair[0]}: {task['labels'][pair[i]]}" for pair in pairs) for i in (1, 2))
        true, said = (shortened(name, task_files.LONGEST) for name in (true, said))
        short = (escape(true).replace("\n", "<br>"), escape(said).replace("\n", "<br>"), sure)
        body += f"<tr><td class='wrap'>{texts}</td>" + "".join(f"<td class='short'>{cell}</td>" for cell in short)
        body += "</tr>"
    head = "".join(
        f"<th class='t'>{t(f'finetune.col_{name}', lang)}</th>" for name in ("texts", "true", "said", "sure")
    )
    return f"{task_files.WRAP}<table><tr>{head}</tr>{body}</table>"


@st.cache_data(max_entries=8, show_spinner=False)
def extract_weights(model_id: str, stamp: float, ids: tuple[int, ...]) -> np.ndarray:
    """What the last token of a row looks at, (L, H, T)."""
    return _extract_weights(models.load(model_id, stamp), ids)


@torch.inference_mode()
def _extract_weights(loaded: Loaded, ids: Sequence[int]) -> np.ndarray:
    trace = Trace(fields={"weights"})
    loaded.model(torch.tensor([list(ids)], device=loaded.model.device), trace=trace)
    return torch.stack([block.weights[0, :, -1] for block in trace.blocks]).float().cpu().numpy()  # (L, H, T)


def on_span(weights: np.ndarray, row: Row, name: str) -> np.ndarray:
    """The weight on a span of the row, (L, H)."""
    span: Span = next(span for span in row.spans if span.name == name)
    return weights[..., span.start : span.end].sum(-1)
