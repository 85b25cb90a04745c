"""Who has what after a few events? Entailment, neutral or contradiction.

A story tells of up to three things, one sentence each: who got it, lost it, gave it away, or only thought about it.
What follows about the thing asked for depends on what happened to that one; the other sentences are of no use.
"""

from dataclasses import dataclass

from .words import TEST, TRAIN, Draw, Words, a, sentence

LABELS = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True)
class Part:
    """Words and templates of training and validation, or of the test.

    In `get` {p} gets {x} ({a_x} with its article), in `lose` {p} no longer has it and nobody knows who has, in `give`
    it goes from {p} to {q}; `think` leaves it open whether {p} has {x}. `ask`: {p} has {x}.
    """

    words: Words
    get: tuple[str, ...]
    lose: tuple[str, ...]
    give: tuple[str, ...]
    think: tuple[str, ...]
    ask: tuple[str, ...]


PARTS = {
    "train": Part(
        words=TRAIN,
        get=(
            "{p} had {a_x}.",
            "{p} found {a_x} {there}.",
            "Mother gave {p} {a_x}.",
            "{p} bought {a_x}.",
        ),
        lose=(
            "{p} lost the {x} {there}.",
            "A thief stole the {x} from {p}.",
            "{p} threw the {x} into the sea.",
        ),
        give=(
            "{p} gave the {x} to {q}.",
            "{p} gave {q} the {x}.",
            "{q} took the {x} from {p}.",
        ),
        think=(
            "{p} wanted {a_x}.",
            "{p} asked for {a_x}.",
            "{p} looked for {a_x} {there}.",
            "{p} thought about {a_x}.",
        ),
        ask=(
            "{p} has the {x}.",
            "{p} has the {x} now.",
            "It is {p} who has the {x}.",
        ),
    ),
    "test": Part(
        words=TEST,
        get=(
            "{p} picked up {a_x} {there}.",
            "{p} received {a_x} from an uncle.",
            "Father brought {p} {a_x}.",
            "{p} won {a_x} at the fair.",
        ),
        lose=(
            "{p} dropped the {x} into the lake.",
            "Robbers carried off the {x} of {p}.",
            "{p} sold the {x} to a stranger.",
        ),
        give=(
            "{p} handed the {x} to {q}.",
            "{p} let {q} have the {x}.",
            "{q} got the {x} from {p}.",
        ),
        think=(
            "{p} wished for {a_x}.",
            "{p} heard of {a_x} {there}.",
            "{p} dreamed of {a_x}.",
        ),
        ask=(
            "The {x} is with {p}.",
            "You will find the {x} with {p}.",
            "{p} is the one with the {x}.",
        ),
    ),
}
ENTAILED = (("get", "p"), ("give", "q"))  # what happened to the thing, and whether p or q is asked for
CONTRADICTED = (("lose", "p"), ("give", "p"))
EVENTS = ("get", "lose", "give", "think")


def make(draw: Draw, part: str, label: int) -> tuple[tuple[str, ...], int]:
    """(story, question) and label."""
    of = PARTS[part]
    p, q, *names = (person.name for person in of.words.people(draw, 6))
    x, elsewhere, *others = draw.several(of.words.things, 4)
    if LABELS[label] == "neutral":
        event, who, asked = "think", "p", x
        if draw.below(2):
            event, asked = draw.pick(EVENTS), elsewhere
    else:
        event, who = draw.pick(ENTAILED if LABELS[label] == "entailment" else CONTRADICTED)
        asked = x
    told = [_tell(draw, of, event, p, q, x)]
    for other in others[draw.below(3) :]:
        told.append(_tell(draw, of, draw.pick(EVENTS), names.pop(), names.pop(), other))
    return (" ".join(draw.shuffled(told)), sentence(draw.pick(of.ask), p=p if who == "p" else q, x=asked)), label


def _tell(draw: Draw, of: Part, event: str, p: str, q: str, x: str) -> str:
    there = of.words.scene(draw)["there"]
    return sentence(draw.pick(getattr(of, event)), p=p, q=q, x=x, a_x=a(x), there=there)
