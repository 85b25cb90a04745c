"""What every training run is told, and how far its budget goes."""

from dataclasses import asdict, dataclass, fields

from ..errors import GPT1VizError
from .devices import PRECISIONS
from .optim import OPTIMIZERS

FRACTIONS = {"minutes", "lr", "clip", "weight_decay", "save_minutes", "lm_coef"}
FRACTIONS |= {"dropout", "clf_pdrop", "warmup_share"}
MAY_CHANGE = {
    "steps",
    "tokens",
    "minutes",
    "epochs",
    "eval_every",
    "sample_every",
    "save_minutes",
    "device",
    "precision",
}


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Settings of the loop.

    Args:
        batch_size: sequences an update, over all its parts and processes.
        accumulate: parts into which an update is cut where memory is short; the losses stay the same.
        steps, tokens, minutes: the budget; the first that is used up ends the run. With minutes the learning rate
            follows the clock, so that such a run cannot be repeated to the bit.
        lr: peak learning rate.
        optimizer: "adamw" (fused where possible) or "openai_adam" (as in 2018).
        betas, weight_decay: of the optimiser; the decay is for matrices and embeddings.
        clip: largest norm of the gradient; None leaves it alone.
        seed: of the weights, the batches and dropout.
        device: "auto", "cpu", "cuda", "mps".
        precision: "auto", "float32", "bfloat16".
        eval_every, sample_every: steps between evaluations and between samples; 0 for none on the way.
        save_minutes: at least this often a checkpoint is written, besides those of the steps 0, 1, 2, 4, 8, ...

    Raises:
        GPT1VizError: a setting that makes no sense, naming it.
    """

    batch_size: int = 64
    accumulate: int = 1
    steps: int | None = None
    tokens: int | None = None
    minutes: float | None = None
    lr: float = 2.5e-4
    optimizer: str = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    clip: float | None = 1.0
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    eval_every: int = 0
    sample_every: int = 0
    save_minutes: float = 10.0

    def __post_init__(self):
        object.__setattr__(self, "betas", tuple(self.betas))  # JSON has lists only
        for name, value in (("optimizer", OPTIMIZERS), ("precision", PRECISIONS)):
            self._choice(name, value)
        for name in ("batch_size", "accumulate"):
            self._number(name, 1)
        for name in ("steps", "tokens", "minutes", "clip"):
            if getattr(self, name) is not None:
                self._number(name, 0, above=True)
        for name in ("eval_every", "sample_every", "save_minutes", "weight_decay", "seed"):
            self._number(name, 0)
        self._number("lr", 0, above=True)
        if not self.has_budget:
            raise GPT1VizError("training_no_budget")

    @property
    def has_budget(self) -> bool:
        """Whether it is said when training ends."""
        return any(limit is not None for limit in (self.steps, self.tokens, self.minutes))

    def _number(self, name: str, least: float, above: bool = False) -> None:
        value = getattr(self, name)
        whole = name not in FRACTIONS
        right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not right or value < least or (above and value == least):
            raise GPT1VizError("training_setting", field=name, value=value)

    def _choice(self, name: str, allowed: tuple[str, ...]) -> None:
        if getattr(self, name) not in allowed:
            raise GPT1VizError("config_choice", field=name, value=getattr(self, name), allowed=", ".join(allowed))

    def to_dict(self) -> dict:
        """Field names and values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict):
        """The inverse of `to_dict`; names that are no settings are ignored."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def check_resumes(self, before: dict) -> None:
        """Only the budget and what does not touch the weights may differ from the run's earlier settings.

        Raises:
            GPT1VizError: another setting differs.
        """
        for name, value in type(self).from_dict(before).to_dict().items():
            if name not in MAY_CHANGE and self.to_dict()[name] != value:
                raise GPT1VizError("training_other_setting", field=name, value=self.to_dict()[name], before=value)

    def n_parts(self, processes: int) -> int:
        """Equal parts that a batch is cut into, over all processes.

        Raises:
            GPT1VizError: it cannot be.
        """
        n_parts = self.accumulate * processes
        if self.batch_size % n_parts:
            raise GPT1VizError("training_parts", batch_size=self.batch_size, n_parts=n_parts)
        return n_parts

    def n_steps(self, tokens_a_step: int) -> int | None:
        """Updates in the budget; None when only time bounds them."""
        counts = [self.steps, self.tokens and -(-self.tokens // tokens_a_step)]
        return min((n for n in counts if n is not None), default=None)

    def used(self, step: int, seconds: float, tokens_a_step: int) -> float:
        """The share of the budget that `step` updates and `seconds` use up, 0 to 1."""
        n_steps = self.n_steps(tokens_a_step)
        shares = [step / n_steps if n_steps else 0.0, seconds / (60 * self.minutes) if self.minutes else 0.0]
        return min(1.0, max(shares))
