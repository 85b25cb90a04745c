"""Do two sentences say the same, or are the roles swapped?

Both sentences have the same two persons or animals, and the ways of putting things are the same for both labels, so
that only who does what to whom tells them apart.
"""

from dataclasses import dataclass

from .words import TEST, TRAIN, Draw, Words, sentence

LABELS = ("different", "same")


@dataclass(frozen=True)
class Relation:
    """Ways to say that {a} stands in some relation to {b}, and the words that may fill their other slots.

    `between` says what {a} and {b} are: "animals" ("the dog") or "names".
    """

    between: str
    ways: tuple[str, ...]
    fills: tuple[dict[str, str], ...] = ({},)


@dataclass(frozen=True)
class Part:
    words: Words
    times: tuple[str, ...]
    relations: tuple[Relation, ...]


def _verbs(*forms: str) -> tuple[dict[str, str], ...]:
    """Past tense and participle alike ("chased"), or both ("saw seen")."""
    return tuple({"did": form.split()[0], "done": form.split()[-1]} for form in forms)


def _degrees(*forms: str) -> tuple[dict[str, str], ...]:
    """An adjective, its comparative, and the comparative of its opposite."""
    return tuple(dict(zip(("much", "more", "less"), form.split(), strict=True)) for form in forms)


def _acts(*pairs: str) -> tuple[dict[str, str], ...]:
    """Two things that people do."""
    return tuple({"first": pair.split()[0], "second": pair.split()[1]} for pair in pairs)


PARTS = {
    "train": Part(
        words=TRAIN,
        times=("in the morning", "before dinner", "after the rain", "one day", "at night", "in the snow"),
        relations=(
            Relation(
                "animals",
                (
                    "the {a} {did} the {b} {time}.",
                    "the {b} was {done} by the {a} {time}.",
                    "{time} the {a} {did} the {b}.",
                    "it was the {a} that {did} the {b} {time}.",
                    "{time} the {b} was {done} by the {a}.",
                ),
                _verbs("chased", "followed", "found", "caught", "helped", "pushed", "watched", "carried", "bit bitten"),
            ),
            Relation(
                "names",
                (
                    "{a} gave the {thing} to {b}.",
                    "{a} gave {b} the {thing}.",
                    "{b} got the {thing} from {a}.",
                    "{b} was given the {thing} by {a}.",
                ),
            ),
            Relation(
                "names",
                ("{a} is {more} than {b}.", "{b} is {less} than {a}.", "{b} is not so {much} as {a}."),
                _degrees("old older younger", "big bigger smaller", "quick quicker slower"),
            ),
            Relation(
                "names",
                (
                    "{a} {first} before {b} {second}.",
                    "{b} {second} after {a} {first}.",
                    "first {a} {first}, and then {b} {second}.",
                    "before {b} {second}, {a} {first}.",
                ),
                _acts("sang slept", "laughed ran", "ate drank", "ran sang", "slept ate", "drank laughed"),
            ),
            Relation(
                "animals",
                (
                    "{there} the {a} sat behind the {b}.",
                    "{there} the {b} sat in front of the {a}.",
                    "the {a} was behind the {b} {there}.",
                    "the {b} was in front of the {a} {there}.",
                ),
            ),
        ),
    ),
    "test": Part(
        words=TEST,
        times=("yesterday", "on Sunday", "last summer", "on Christmas day", "long ago", "this afternoon"),
        relations=(
            Relation(
                "animals",
                (
                    "it was the {b} that was {done} by the {a} {time}.",
                    "the {a} was the one that {did} the {b} {time}.",
                    "who {did} the {b} {time}? the {a} did.",
                    "{time} somebody {did} the {b}: it was the {a}.",
                    "the one that the {a} {did} {time} was the {b}.",
                ),
                _verbs("saved", "washed", "fed", "warmed", "cured", "taught", "thanked"),
            ),
            Relation(
                "names",
                (
                    "{a} sold the {thing} to {b}.",
                    "{b} bought the {thing} from {a}.",
                    "the {thing} that {b} bought had belonged to {a}.",
                    "{a} was paid by {b} for the {thing}.",
                ),
            ),
            Relation(
                "names",
                (
                    "of the two, {a} is the {more} and {b} is the {less}.",
                    "of {b} and {a}, the {more} one is {a}.",
                    "of {a} and {b}, the {less} one is {b}.",
                    "nobody could call {b} as {much} as {a}.",
                ),
                _degrees("strong stronger weaker", "rich richer poorer", "tall taller shorter"),
            ),
            Relation(
                "animals",
                (
                    "the {a} lay under the {b} {there}.",
                    "{there} the {b} stood above the {a}.",
                    "high up was the {b}, and down below {there} was the {a}.",
                    "over the {a} stood the {b} {there}.",
                ),
            ),
        ),
    ),
}


def _order(way: str) -> bool:
    """Whether {a} comes before {b}."""
    return way.index("{a}") < way.index("{b}")


def make(draw: Draw, part: str, label: int) -> tuple[tuple[str, ...], int]:
    """Two sentences; in the second one the roles are swapped where they differ."""
    of = PARTS[part]
    relation = draw.pick(of.relations)
    a, b = draw.several(of.words.animals if relation.between == "animals" else of.words.names, 2)
    slots = of.words.scene(draw) | draw.pick(relation.fills)
    slots["time"] = draw.pick((slots["there"], draw.pick(of.times)))
    one = draw.pick(relation.ways)
    alike = [way for way in relation.ways if way != one and _order(way) == _order(one)]
    turned = [way for way in relation.ways if _order(way) != _order(one)]
    other = draw.pick(alike if draw.below(3) and alike else turned)
    swapped = {"a": a, "b": b} if LABELS[label] == "same" else {"a": b, "b": a}
    return (sentence(one, a=a, b=b, **slots), sentence(other, **swapped, **slots)), label
