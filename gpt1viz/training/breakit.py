"""Break it: tiny GPT-1s that differ from the intact one in a single part, trained alike on the built-in stories.

    learned, held_out = split(stories())                    (gpt1viz.data.toys.stories)
    config, settings = recipe("no-mask")
    pretrain(config, corpus, tokenizer, "runs/breakit-no-mask", settings=settings)

The app trains the same on its page, as ordinary runs. Whether a run that is there already is what the recipe would give
again is decided by `digest`, over the shape, the settings, the vocabulary's size and the text.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ..config import GPT1Config
from ..data.toys.stories import split, stories
from ..errors import GPT1VizError
from .plan import Plan
from .pretrain import PretrainSettings
from .runs import Run


class Variant(NamedTuple):
    """A model to train.

    Attributes:
        changes: fields of GPT1Config or of PretrainSettings, against its twin or, if intact, SHAPE and TRAINING.
        twin: the intact model that it is compared with, trained alike; None for an intact one.
    """

    changes: dict[str, Any]
    twin: str | None = "gpt1"


VARIANTS = {
    "gpt1": Variant({}, None),
    "no-mask": Variant({"causal": False}),
    "no-scaling": Variant({"scale_attn": False}),
    "no-positions": Variant({"positions": "none"}),
    "no-warmup": Variant({"warmup": 0}),
    "relu": Variant({"afn": "relu"}),
    "pre-ln": Variant({"norm": "pre"}),
    "sinusoids": Variant({"positions": "sinusoidal"}),
    # What a warm-up is for depends on the rate: four times the common one, and the paper's, made for 117M parameters.
    "gpt1-high-rate": Variant({"lr": 8e-3}, None),
    "no-warmup-high-rate": Variant({"warmup": 0}, "gpt1-high-rate"),
    "gpt1-paper-rate": Variant({"lr": 2.5e-4}, None),
    "no-warmup-paper-rate": Variant({"warmup": 0}, "gpt1-paper-rate"),
}
STEPS = 600  # about 40 s on one core of a laptop
VOCABULARY = 512
SHAPE: dict[str, Any] = {"n_ctx": 64, "n_embd": 128, "n_layer": 3, "n_head": 4}
SHAPE |= dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0.0)  # no text is seen often enough to overfit
TRAINING: dict[str, Any] = {"batch_size": 16, "lr": 2e-3, "betas": (0.9, 0.98), "warmup": 60, "device": "cpu"}
PROMPTS = ("once upon a time", "the fox was")
LOOKS = ("device", "eval_every", "sample_every", "save_minutes")  # settings that change no weight


def plan(variant: str, steps: int = STEPS) -> Plan:
    """All that a variant is trained with, the text left out.

    Args:
        variant: of VARIANTS.
        steps: updates.

    Raises:
        KeyError: there is no such variant.
    """
    looks: dict[str, Any] = {"eval_every": max(25, steps // 12), "sample_every": max(50, steps // 4)}
    settings = PretrainSettings(steps=steps, prompts=PROMPTS, **TRAINING, **looks)
    shape = GPT1Config(n_vocab=VOCABULARY, **SHAPE).to_dict()
    shape.pop("n_vocab")
    made, twin = VARIANTS[variant], VARIANTS.get(VARIANTS[variant].twin or "", Variant({}))
    return Plan((), (), VOCABULARY, shape, settings.to_dict()).changed(twin.changes | made.changes)


def recipe(variant: str, steps: int = STEPS, n_vocab: int = VOCABULARY) -> tuple[GPT1Config, PretrainSettings]:
    """Shape and settings of a variant, for `pretrain`.

    Args:
        n_vocab: entries of the vocabulary that was really learned.
    """
    whole = plan(variant, steps)
    return whole.config(n_vocab), whole.settings


def options(variant: str, steps: int = STEPS) -> list[str]:
    """The recipe for the command `gpt1viz train TEXT --validation TEXT`: --set FIELD=VALUE, all of them."""
    whole = plan(variant, steps)
    values = whole.model | whole.training | {"vocabulary": whole.vocabulary}
    return [word for name, value in values.items() for word in ("--set", f"{name}={json.dumps(value)}")]


def digest(plan: Plan, texts: Iterable[bytes]) -> str:
    """Names all that decides what comes out of a training run: 16 hexadecimal digits.

    Args:
        texts: what is learned and what is held out.
    """
    settings = {name: value for name, value in plan.settings.to_dict().items() if name not in LOOKS}
    model = {name: value for name, value in GPT1Config(**plan.model).to_dict().items() if name != "n_vocab"}
    whole = hashlib.sha256(json.dumps([model, settings, plan.vocabulary], sort_keys=True).encode())
    for text in texts:
        whole.update(hashlib.sha256(text).digest())
    return whole.hexdigest()[:16]


@lru_cache(maxsize=64)
def wanted(variant: str, steps: int = STEPS) -> str:
    """The digest of a variant trained on the built-in stories."""
    return digest(plan(variant, steps), _texts())


@lru_cache(maxsize=1)
def _texts() -> list[bytes]:
    return [text.encode() for text in split(stories())]


def digest_of(run: Run) -> str | None:
    """The digest of a run directory; None where it says too little, is of another kind, or its text is gone."""
    source = run.settings.get("source", {})
    if run.settings.get("kind") != "pretrain" or run.config is None or not isinstance(source.get("vocabulary"), int):
        return None
    names = [*source.get("text", ()), *source.get("validation", ())]
    kept = [run.path / "text" / Path(name).name for name in names]  # the app keeps the text with the run
    paths = [own if own.exists() else Path(name) for own, name in zip(kept, names, strict=True)]
    try:
        texts = [path.read_bytes() for path in paths]
        return digest(Plan.of_run(run.path), texts)
    except (OSError, GPT1VizError):
        return None
