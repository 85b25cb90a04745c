"""The 21 rows: id, verdict, check or source, and where the app shows more. Their words are in claims.toml."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..analysis import speculative
from ..model import GPT1
from ..text import t
from ..tokenizer import Tokenizer
from . import attention, parts, training, writing
from .result import LEAST_CONTEXT, Result

VERDICTS = ("right", "partly", "wrong")
Check = Callable[[GPT1, Tokenizer], Result]


@dataclass(frozen=True)
class Claim:
    """A claim that notes make.

    Attributes:
        id: begins its keys in claims.toml: <id>_claim, <id>_holds, <id>_source, and <id>_found where there is a check.
        verdict: one of VERDICTS.
        check: measures on a model; None where the row rests on its source.
        code: functions whose source shows how it is measured.
        page: of the app, that shows more; None where there is none.
        needs: switches of GPT-1 without which the check says nothing about it.
    """

    id: str
    verdict: str
    check: Check | None = None
    code: tuple[Callable, ...] = ()
    page: str | None = None
    needs: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """Its row, counted from 1."""
        return [*CLAIMS].index(self.id) + 1

    def words(self, part: str, lang: str, **numbers) -> str:
        """What claims.toml says under <id>_<part>, numbers filled in."""
        return t(f"claims.{self.id}_{part}", lang, **numbers)

    def says(self, result: Result, lang: str) -> str:
        """What was measured, in a sentence or two."""
        if result.unfit:
            return t(f"claims.{result.unfit}", lang, **result.numbers)
        return self.words("found", lang, **result.numbers)


_LEARNED, _MASKED = {"positions": "learned"}, {"causal": True}
_ROWS = (
    Claim("relu", "wrong", parts.relu, (parts.relu,), "block", {"afn": "gelu"}),
    Claim("vocabulary", "wrong", parts.vocabulary, (parts.vocabulary,), "tokens"),
    Claim("parameters", "right", parts.parameters, (parts.parameters,), "cost"),
    Claim("segments", "wrong", parts.segments, (parts.segments,), "embeddings", _LEARNED),
    Claim("first", "wrong", attention.first_token, (attention.first_token,), "inputs", _MASKED),
    Claim("itself", "wrong", attention.itself, (attention.itself,), "attention", _MASKED),
    Claim("l3", "wrong", training.l3, (training.l3, training.measure, training.TaskLosses), "finetune"),
    Claim("mixture", "wrong", training.mixture, (training.mixture, training.measure), "finetune"),
    Claim("books", "partly", page="train"),
    Claim("post_ln", "right", parts.post_ln, (parts.post_ln, parts.gradient_norms), "block", {"norm": "post"}),
    Claim("last_only", "partly", attention.every_position, (attention.every_position,), "next_token"),
    Claim("tied", "right", parts.tied, (parts.tied,), "embeddings", _LEARNED),
    Claim("bert", "wrong"),
    Claim("special", "right", parts.special, (parts.special, parts.transferred), "inputs"),
    Claim("epochs", "right", page="finetune"),
    Claim("auxiliary", "partly", training.auxiliary, (training.auxiliary, training.measured_pairs), "finetune"),
    Claim("infinity", "partly", attention.minus_infinity, (attention.minus_infinity,), "attention"),
    Claim("scaling", "right", attention.scaling, (attention.scaling,), "breakit", {"scale_attn": True}),
    Claim("positions", "right", parts.positions, (parts.positions,), "embeddings", _LEARNED),
    Claim(
        "draft", "right", writing.draft, (writing.draft, speculative.check, speculative.write), "next_token", _MASKED
    ),
    Claim("webtext", "wrong", page="cost"),
)
CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _ROWS}


def run(id: str, model: GPT1, tokenizer: Tokenizer) -> Result:
    """Run one row's check on a model that nothing changes; it takes about a second at the bundled one's size.

    Args:
        id: of CLAIMS, one with a check.

    Returns:
        what was measured; `seen` is None, with the reason in `unfit`, where the check does not fit the model.
    """
    claim, config = CLAIMS[id], model.config
    assert claim.check is not None, f"{id} rests on its source"
    if config.n_ctx < LEAST_CONTEXT:
        return Result(None, {"n_ctx": config.n_ctx, "least": LEAST_CONTEXT}, unfit="unfit_context")
    for name, wanted in claim.needs.items():
        if (value := getattr(config, name)) != wanted:
            return Result(None, {"field": name, "value": str(value), "wanted": str(wanted)}, unfit="unfit_switch")
    return claim.check(model, tokenizer)


def report(id: str, model: GPT1, tokenizer: Tokenizer, lang: str = "en") -> str:
    """A row with its answer: claim, what holds, what was measured or the source. For notebooks."""
    claim = CLAIMS[id]
    answer = [(t(f"claims.verdict_{claim.verdict}", lang), claim.words("holds", lang))]
    if claim.check is None:
        answer.append((t("claims.source", lang), claim.words("source", lang)))
    else:
        found = run(id, model, tokenizer)
        mark = {True: "seen", False: "not_seen", None: "unfit"}[found.seen]
        answer.append((t(f"claims.{mark}", lang), claim.says(found, lang)))
    lines = [t("claims.report", lang, what=what, words=words) for what, words in answer]
    return "\n".join([f"{claim.number}. {claim.words('claim', lang)}", *lines])
