"""A labelled task: its texts in splits, its classes, the layout and the metric that go with them."""

from collections.abc import Mapping
from dataclasses import dataclass

from tqdm.auto import tqdm

from ..config import GPT1Config
from ..inputs import Example, layout
from ..tokenizer import Tokenizer

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TextExample:
    """One labelled example.

    Attributes:
        texts: what `inputs.layout` takes for the task's kind.
        label: a class or choice counted from 0, a score (float), or a class for each word between blanks.
    """

    texts: tuple[str, ...]
    label: int | float | tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """Labelled data.

    Attributes:
        name: as it was asked for.
        kind: one of `inputs.KINDS`; the layout, and the `model.TaskHead` that reads it out.
        labels: names of the classes; () for choices.
        metric: a name in `training.metrics.METRICS`.
        splits: "train" and "validation", and "test" where there is one.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    metric: str
    splits: Mapping[str, tuple[TextExample, ...]]

    @property
    def scores(self) -> bool:
        """Whether labels are scores, predicted as the mean over classes 0, 1, 2, ... (STS-B)."""
        return self.metric in ("pearson", "spearman")

    def lay_out(self, split: str, tokenizer: Tokenizer, config: GPT1Config, truncation: str = "2018") -> list[Example]:
        """A split's examples as rows of ids.

        Raises:
            GPT1VizError: the model cannot take them (see `inputs.layout`).
        """
        n_classes = len(self.labels)
        return [
            layout(self.kind, e.texts, tokenizer, config, label=e.label, n_classes=n_classes, truncation=truncation)
            for e in tqdm(self.splits[split], desc=split, delay=2, leave=False, disable=None)
        ]
