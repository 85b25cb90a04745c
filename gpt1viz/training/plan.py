"""A plan for pre-training: a recipe (TOML), what the command line changes in it, or what a run directory noted."""

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..config import GPT1Config
from ..errors import GPT1VizError
from ..reading import expanded
from . import files
from .pretrain import PretrainSettings

RECIPES = Path(__file__).parents[1] / "assets" / "recipes"
BUDGET = ("steps", "tokens", "minutes")
SHAPE = {f.name for f in fields(GPT1Config)}
TRAINING = {f.name for f in fields(PretrainSettings)}


@dataclass(frozen=True)
class Plan:
    """What to train on what.

    Attributes:
        text, validation: files and folders; "books:train" and "books:validation" are the story books, "hf:owner/name"
            is a data set of the Hugging Face hub.
        vocabulary: how many entries to learn from the text, or the name of a checkpoint whose vocabulary to take.
        model: fields of GPT1Config, but for n_vocab, which the vocabulary decides.
        training: fields of PretrainSettings.
        books: folder with the story books; None downloads them.
        zero_shot: labelled tasks (see `load_task`) that the model is tried on without fine-tuning, at each evaluation.
    """

    text: tuple[str, ...]
    validation: tuple[str, ...]
    vocabulary: int | str
    model: dict[str, Any]
    training: dict[str, Any]
    books: str | None = None
    zero_shot: tuple[str, ...] = ()

    def config(self, n_vocab: int) -> GPT1Config:
        """The shape, with so many vocabulary entries."""
        return GPT1Config.from_dict(self.model | {"n_vocab": n_vocab})

    @property
    def settings(self) -> PretrainSettings:
        """What `pretrain` takes."""
        return PretrainSettings.from_dict(self.training)

    @property
    def source(self) -> dict:
        """What settings.json notes of it besides the settings; `of_run` reads it."""
        return {name: getattr(self, name) for name in ("text", "validation", "vocabulary", "books", "zero_shot")}

    @classmethod
    def read(cls, recipe: str) -> "Plan":
        """A recipe by name ("storybook") or path.

        Raises:
            GPT1VizError: there is none, or it cannot be read.
        """
        path = RECIPES / f"{recipe}.toml" if (RECIPES / f"{recipe}.toml").exists() else Path(recipe)
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
            raise GPT1VizError("plan_missing", recipe=recipe, known=known) from None
        except (OSError, ValueError) as fault:
            raise GPT1VizError("plan_unreadable", path=path, fault=fault) from None
        plan = cls((), (), values.get("vocabulary", 4096), {}, {})
        plan = plan.on(values.get("text", ()), values.get("validation", ())).tried_on(values.get("zero_shot", ()))
        return plan.changed({**values.get("model", {}), **values.get("training", {})})

    @classmethod
    def of_run(cls, path: Path) -> "Plan":
        """The plan that a run directory was begun with."""
        settings, config = files.read_json(path / "settings.json"), files.read_json(path / "config.json")
        source = settings.get("source") or {}
        model = {name: value for name, value in config.items() if name in SHAPE - {"n_vocab"}}
        training = {name: value for name, value in settings.items() if name in TRAINING}
        try:
            texts = tuple(map(str, source["text"])), tuple(map(str, source["validation"]))
            zero_shot = tuple(source.get("zero_shot", ()))
            plan = cls(*texts, source["vocabulary"], model, training, source.get("books"), zero_shot)
        except (AttributeError, KeyError, TypeError):  # no source, or a damaged one
            plan = None
        if plan is None or not plan.text or not isinstance(plan.vocabulary, int | str):
            raise GPT1VizError("plan_no_source", path=path)
        return plan

    def on(self, text: Sequence[str], validation: Sequence[str]) -> "Plan":
        """The same on another text."""
        return replace(self, text=_absolute(text), validation=_absolute(validation))

    def tried_on(self, zero_shot: Sequence[str]) -> "Plan":
        """The same with other zero-shot tasks."""
        return replace(self, zero_shot=_absolute(zero_shot))

    def within(self, **budget: float | None) -> "Plan":
        """The same with another budget; what is None leaves the plan's own."""
        given = {name: value for name, value in budget.items() if value is not None}
        if not given:
            return self
        own = {name: value for name, value in self.training.items() if name not in BUDGET}
        return replace(self, training=own | given)

    def changed(self, values: dict[str, Any]) -> "Plan":
        """The same with other fields of the model or of training.

        Raises:
            GPT1VizError: no such field.
        """
        model, training, vocabulary = dict(self.model), dict(self.training), self.vocabulary
        for name, value in values.items():
            if name in ("vocabulary", "n_vocab"):
                vocabulary = value
            elif name in SHAPE:
                model[name] = value
            elif name in TRAINING:
                training[name] = value
            else:
                known = ", ".join(sorted((SHAPE | TRAINING | {"vocabulary"}) - {"n_vocab"}))
                raise GPT1VizError("plan_field", field=name, known=known)
        return replace(self, vocabulary=vocabulary, model=model, training=training)


def _absolute(names: Sequence[str]) -> tuple[str, ...]:
    """Paths from the root, so that a run can be resumed from another folder; other names as they are."""
    paths = [expanded(name) for name in names]
    return tuple(str(path.absolute()) if path.exists() else name for path, name in zip(paths, names, strict=True))


def parse_changes(words: Iterable[str]) -> dict[str, Any]:
    """`["lr=1e-3", "afn=relu"]` as a dictionary; values are JSON where they can be read as such, else text.

    Raises:
        GPT1VizError: a word without "=".
    """
    changes = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise GPT1VizError("plan_change", word=word)
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changes
