"""What a language model knows of tasks before it is fine-tuned: the paper's zero-shot heuristics (section 5, figure 2).

Each compares how probable the model finds some texts. A text stands where a paragraph does in pre-training, behind a
newline token, so that its first token has a probability too. All take a model in eval mode and return scores in nats,
the higher the more probable; `zero_shot` makes of them an evaluation that can run during pre-training.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..data.task import Task
from ..errors import GPT1VizError
from ..model import GPT1
from ..tokenizer import NEWLINE_ENTRY, Tokenizer
from .losses import CHUNK
from .metrics import METRICS
from .progress import watched

BLANK = "_"  # stands for the pronoun of a Winograd schema


def acceptability(model: GPT1, tokenizer: Tokenizer, texts: Sequence[str], batch_size: int = 16) -> np.ndarray:
    """Mean log P of each text's tokens, (N,): CoLA's heuristic."""
    totals, counts = log_probabilities(model, tokenizer, [("", text) for text in texts], batch_size)
    return totals / counts


def sentiment(
    model: GPT1,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    words: Sequence[str] = ("negative", "positive"),
    cue: str = "very",
    batch_size: int = 16,
) -> np.ndarray:
    """log P of each word behind each text and the cue, (N, K): SST-2's heuristic.

    Only the words are compared, so that all others are left out of the distribution. A word may have several tokens;
    their log P are added up, which is the word's own.
    """
    pairs = [(f"{text} {cue}", word) for text in texts for word in words]
    totals, _ = log_probabilities(model, tokenizer, pairs, batch_size)
    return totals.reshape(len(texts), -1)


def choice(
    model: GPT1,
    tokenizer: Tokenizer,
    contexts: Sequence[str],
    answers: Sequence[Sequence[str]],
    batch_size: int = 16,
) -> np.ndarray:
    """Mean log P of each answer's tokens behind its context, (N, K): RACE's heuristic (document and question)."""
    pairs = [(context, answer) for context, each in zip(contexts, answers, strict=True) for answer in each]
    totals, counts = log_probabilities(model, tokenizer, pairs, batch_size)
    return (totals / counts).reshape(len(contexts), -1)


def pronoun(
    model: GPT1,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    candidates: Sequence[Sequence[str]],
    batch_size: int = 16,
) -> np.ndarray:
    """Mean log P of what follows the blank `_` of each text when a candidate stands there, (N, K): Winograd schemas."""
    pairs = []
    for text, each in zip(texts, candidates, strict=True):
        before, _, after = text.partition(BLANK)
        pairs += [(f"{before} {candidate}", after) for candidate in each]
    totals, counts = log_probabilities(model, tokenizer, pairs, batch_size)
    return (totals / counts).reshape(len(texts), -1)


@torch.no_grad()
def log_probabilities(
    model: GPT1, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], batch_size: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """log P of texts, each given the text before it.

    Args:
        pairs: (what comes before, what is scored). What is too long for the model loses its beginning; of a text longer
            than n_ctx its last n_ctx tokens are scored.
        batch_size: texts that are read together, padded behind, where no token looks.

    Returns:
        the sums over the scored tokens in nats, (N,), and how many these are, (N,).

    Raises:
        GPT1VizError: `no_tokens`, nothing to score.
    """
    n_ctx, newline = model.config.n_ctx, tokenizer.row(NEWLINE_ENTRY)
    rows, counts = [], np.zeros(len(pairs), dtype=np.int64)
    for at, (before, text) in enumerate(pairs):
        ids = tokenizer.encode(text)
        if not ids:
            raise GPT1VizError("no_tokens")
        rows.append([newline, *tokenizer.encode(before), *ids][-n_ctx - 1 :])
        counts[at] = min(len(ids), n_ctx)
    totals = np.zeros(len(pairs))
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))  # texts of like length share a batch
    for done in tqdm(range(0, len(rows), batch_size), delay=2, leave=False, disable=not watched()):
        some = order[done : done + batch_size]
        totals[some] = _sums([rows[at] for at in some], counts[some].tolist(), model)
    return totals, counts


def _sums(rows: list[list[int]], counts: list[int], model: GPT1) -> np.ndarray:
    """The sum of log P over the last tokens of each row, so many as `counts` says."""
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    counted = torch.zeros(ids.shape, dtype=torch.bool)
    for at, (row, n) in enumerate(zip(rows, counts, strict=True)):
        ids[at, : len(row)] = torch.tensor(row)
        counted[at, len(row) - n : len(row)] = True
    ids, counted = ids.to(model.device), counted[:, 1:].to(model.device)
    wanted = ids[:, 1:][counted]

    def head(hidden: Tensor, token_rows: Tensor) -> Tensor:
        """log P of the counted tokens only: all logits would be the largest tensor by far."""
        parts = zip(hidden[counted].split(CHUNK), wanted.split(CHUNK), strict=True)
        logs = [(h @ token_rows.t()).float().log_softmax(-1).gather(1, y[:, None]) for h, y in parts]
        return torch.cat(logs)[:, 0]

    logs = model(ids[:, :-1], head=head).logits.cpu().double()
    return np.array([part.sum().item() for part in logs.split(counts)])


# ---- as an evaluation


def zero_shot(
    task: Task, tokenizer: Tokenizer, split: str = "validation", most: int = 400
) -> Callable[[GPT1], dict[str, float]]:
    """An evaluation for `pretrain(..., evaluations=...)`: the task's metric, as {"zero_shot_NAME": 0.61}.

    A choice goes to the answer with the highest mean log P, or where every context has a blank `_`, to the one that
    fits there. A text goes to the class whose name is the most probable word behind "very". CoLA and the like (the
    metric is Matthews' correlation) give the share of pairs of an acceptable and an unacceptable text that are ranked
    rightly, the area under the ROC curve: unlike a threshold it needs no labels to be chosen from, chance is 1/2
    whatever the balance of classes, and it moves smoothly while a model learns.

    Args:
        most: examples at most, spread evenly over the split.

    Raises:
        GPT1VizError: a task of another kind, or whose classes are no words.
    """
    every = task.splits[split]
    n = min(most, len(every))
    examples = [every[k * len(every) // n] for k in range(n)]
    texts, labels = [e.texts for e in examples], np.array([e.label for e in examples])
    name = f"zero_shot_{task.name}"
    if task.kind == "choice":
        contexts, answers = [" ".join(filter(None, t[:2])) for t in texts], [t[2:] for t in texts]
        ask = pronoun if all(context.partition(BLANK)[2].strip() for context in contexts) else choice
        return lambda model: _right(task, name, ask(model, tokenizer, contexts, answers), labels)
    first = [t[0] for t in texts]
    if task.kind == "classification" and task.metric == "matthews":
        return lambda model: {name: ranked_rightly(acceptability(model, tokenizer, first), labels)}
    if task.kind == "classification" and not task.scores and all(label.isalpha() for label in task.labels):
        return lambda model: _right(task, name, sentiment(model, tokenizer, first, task.labels), labels)
    raise GPT1VizError("zero_shot_task", name=task.name, kind=task.kind)


def _right(task: Task, name: str, scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {name: METRICS[task.metric](scores.argmax(1), labels)}


def ranked_rightly(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of pairs of class 1 and class 0 whose first has the higher score, ties counted half.

    1/2 where there is no such pair.
    """
    high, low = scores[labels == 1], np.sort(scores[labels != 1])
    if not len(high) or not len(low):
        return 0.5
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / (2 * len(low)))
