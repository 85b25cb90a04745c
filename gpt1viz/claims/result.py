"""What a check measured, and what checks share: a text, its ids, a model with another switch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..model import GPT1
from ..text import t
from ..tokenizer import Tokenizer

TEXT = (
    "Once upon a time there was a little girl who lived with her mother in a small house at the edge of the wood. "
    "One day a fox came to the door and said, I have lost my way. The girl gave it some bread, and the fox was glad."
)
LEAST_CONTEXT = 8  # tokens that a model must be able to read, for a check to say anything


@dataclass(frozen=True)
class Drawing:
    """A picture of what was measured, for `gpt1viz.figures`.

    Attributes:
        kind: the figure's function: "bars", "lines" or "heatmap".
        args: what it draws.
        options: of the figure, none of them words.
        titles: option -> key in claims.toml.
        columns: the same numbers for a CSV file.
        labels: name in `args` -> key in claims.toml, for names that are words.
    """

    kind: str
    args: tuple
    options: Mapping = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def words(self, lang: str) -> dict:
        """All options, the titles in a language."""
        return {**self.options, **{option: t(f"claims.{key}", lang) for option, key in self.titles.items()}}

    def named(self, lang: str) -> tuple:
        """`args`, their names in a language."""
        said = {name: t(f"claims.{key}", lang) for name, key in self.labels.items()}

        def told(part):
            if isinstance(part, dict):
                return {said.get(name, name): values for name, values in part.items()}
            return [said.get(name, name) for name in part] if isinstance(part, list) else part

        return tuple(told(part) for part in self.args) if said else self.args


@dataclass(frozen=True)
class Result:
    """What a check has found.

    Attributes:
        seen: whether what holds was seen; None where the check does not fit the model.
        numbers: what was measured, by the names in claims.toml.
        drawing: a picture of it, where one helps.
        unfit: why the check does not fit: a key in claims.toml ("unfit_...").
    """

    seen: bool | None
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    drawing: Drawing | None = None
    unfit: str | None = None


def read_ids(model: GPT1, tokenizer: Tokenizer, most: int = 64) -> Tensor:
    """TEXT as the model reads it, (1, T), at most `most` tokens."""
    ids = tokenizer.encode(TEXT)[: min(most, model.config.n_ctx)]
    return torch.tensor([ids], device=model.device)


def other_token(model: GPT1, ids: Tensor, position: int) -> Tensor:
    """The same ids with another token at one position."""
    changed = ids.clone()
    changed[0, position] = (changed[0, position] + 1) % model.config.n_vocab
    return changed


def switched(model: GPT1, **switches) -> GPT1:
    """The same weights behind other switches; nothing is copied, and the model stays as it is."""
    with torch.device("meta"):
        other = GPT1(replace(model.config, **switches))
    own = model.state_dict()
    missing = other.state_dict().keys() - own.keys()
    assert not missing, f"these switches need weights that the model lacks: {missing}"
    other.load_state_dict({name: own[name] for name in other.state_dict()}, assign=True)
    return other.eval().requires_grad_(False)
