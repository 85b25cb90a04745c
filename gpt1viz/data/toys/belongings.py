"""Who has what after a few events? Entailment, neutral or contradiction.

The story is made before the question: it is the same kind of story for all three labels. What follows about the thing
asked for depends on who gave it to whom; nothing follows about a thing that nobody can trace or that was not there.
"""

from dataclasses import dataclass

from .words import TEST, TRAIN, Draw, Words, a, sentence

LABELS = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True)
class Part:
    """Words and templates of training and validation, or of the test.

    `begin`: {p} has {x}, {q} has {y} ({a_x}, {a_y} with their articles). `give`: {o} goes from {p} to {q}. `swap`:
    {p} has {x}, {q} has {y}, and afterwards the other way round. `lose`: {p} no longer has {o}, and nobody knows who
    has. `ask`: {p} has {o}.
    """

    words: Words
    begin: tuple[str, ...]
    give: tuple[str, ...]
    swap: tuple[str, ...]
    lose: tuple[str, ...]
    ask: tuple[str, ...]


PARTS = {
    "train": Part(
        words=TRAIN,
        begin=(
            "{p} had {a_x}, and {q} had {a_y}.",
            "{p} found {a_x} {there}, and {q} found {a_y}.",
            "Mother gave {p} {a_x}, and she gave {q} {a_y}.",
            "One day {p} came with {a_x} and {q} with {a_y}.",
        ),
        give=(
            "{p} gave the {o} to {q}.",
            "{p} gave {q} the {o}.",
            "{q} took the {o} from {p}.",
        ),
        swap=(
            "Then {p} gave {q} the {x} for the {y}.",
            "{p} took the {y} from {q} and gave {q} the {x}.",
        ),
        lose=(
            "{p} lost the {o} {there}.",
            "In the night somebody took the {o} away from {p}.",
        ),
        ask=(
            "{p} has the {o}.",
            "{p} has the {o} now.",
            "It is {p} who has the {o}.",
        ),
    ),
    "test": Part(
        words=TEST,
        begin=(
            "There were two friends, {p} with {a_x} and {q} with {a_y}.",
            "{p} bought {a_x}, and {q} bought {a_y}.",
            "The {x} belonged to {p}, and the {y} belonged to {q}.",
        ),
        give=(
            "{p} handed the {o} to {q}.",
            "{p} sold {q} the {o}.",
            "{q} received the {o} from {p}.",
            "{p} let {q} have the {o}.",
        ),
        swap=(
            "They made a trade, and {q} got the {x} and {p} the {y}.",
            "{q} received the {x} from {p} and let {p} have the {y}.",
        ),
        lose=(
            "{p} dropped the {o} {there} and could not find it again.",
            "A week later the {o} of {p} was gone, and no one knew where.",
        ),
        ask=(
            "The {o} is with {p}.",
            "You will find the {o} with {p}.",
            "{p} is the one with the {o}.",
        ),
    ),
}


def make(draw: Draw, part: str, label: int) -> tuple[tuple[str, ...], int]:
    """(story, question) and label."""
    of = PARTS[part]
    p, q, r = (person.name for person in of.words.people(draw, 3))
    x, y, elsewhere = draw.several(of.words.things, 3)
    there = of.words.scene(draw)["there"]
    told = [sentence(draw.pick(of.begin), p=p, q=q, x=x, y=y, a_x=a(x), a_y=a(y), there=there)]
    named = {p, q}
    holder: dict[str, str | None] = {x: p, y: q}
    loser: dict[str, str] = {}
    for event in draw.pick((("give",), ("swap",), ("give", "give"), ("give", "lose"), ("lose", "give"))):
        if event == "swap":
            told.append(sentence(draw.pick(of.swap), p=p, q=q, x=x, y=y))
            holder[x], holder[y] = q, p
            continue
        thing = draw.pick([thing for thing in (x, y) if holder[thing]])
        owner = str(holder[thing])
        if event == "lose":
            told.append(sentence(draw.pick(of.lose), p=owner, o=thing, there=there))
            holder[thing], loser[thing] = None, owner
        else:
            other = draw.pick([person for person in (p, q, r) if person != owner])
            told.append(sentence(draw.pick(of.give), p=owner, q=other, o=thing))
            holder[thing] = other
            named.add(other)
    thing, person = _question(draw, label, sorted(named), holder, loser, elsewhere)
    return (" ".join(told), sentence(draw.pick(of.ask), p=person, o=thing)), label


def _question(draw: Draw, label: int, people: list[str], holder: dict, loser: dict, elsewhere: str) -> tuple[str, str]:
    """A thing and a person of the story for which the label is right."""
    known = [(thing, owner) for thing, owner in holder.items() if owner]
    if LABELS[label] == "entailment":
        return draw.pick(known)
    if LABELS[label] == "contradiction":
        wrong = [(thing, person) for thing, owner in known for person in people if person != owner]
        return draw.pick(wrong + list(loser.items()))
    untraced = [(thing, person) for thing, owner in loser.items() for person in people if person != owner]
    return draw.pick(untraced or [(elsewhere, person) for person in people])
