"""Which words are a person, an animal, a thing, a place?

Each sentence has one of each. Words do not settle it: Daisy may be a girl, a cow, a boat or a village, and a toy horse
is a thing. What settles it stands to the left of the word, since GPT-1 reads from left to right.
"""

from dataclasses import dataclass

from .words import TEST, TRAIN, Draw, Words, a

LABELS = ("other", "person", "animal", "thing", "place")


@dataclass(frozen=True)
class Part:
    """Words and templates of training and validation, or of the test; a word's kind stands behind it.

    In the sentences {person}, {animal}, {thing} and {place} are phrases, and {at_place} is one with its preposition. In
    the phrases {N} is any name, {boy} and {man} what goes with it, {someone} an occupation, {quality} an adjective,
    {beast}, {tool} and {spot} are nouns.
    """

    words: Words
    someone: tuple[str, ...]
    qualities: tuple[str, ...]
    sentences: tuple[str, ...]
    person: tuple[str, ...]
    animal: tuple[str, ...]
    thing: tuple[str, ...]
    place: tuple[str, ...]


PARTS = {
    "train": Part(
        words=TRAIN,
        someone=("king", "farmer", "mother", "soldier", "princess", "doctor", "uncle", "hunter", "sailor", "boy"),
        qualities=("little", "big", "good", "fine"),
        sentences=(
            "{person} and {animal} went to {place} with {thing} .",
            "{animal} carried {thing} from {place} to {person} .",
            "{at_place} {person} gave {thing} to {animal} .",
            "{person} saw {animal} with {thing} {at_place} .",
            "when {person} came to {place} , {animal} was behind {thing} .",
            "{thing} lay {at_place} until {animal} brought it to {person} .",
            "{at_place} there lived {person} , who had {animal} and {thing} .",
            "{animal} slept {at_place} , and {person} put {thing} beside it .",
        ),
        person=(
            "{N}/person",
            "the {someone}/person",
            "a {boy}/person named {N}/person",
            "a {quality} {someone}/person",
        ),
        animal=(
            *("the {beast}/animal", "a {quality} {beast}/animal", "{a_beast}/animal named {N}/animal"),
            "the {quality} {beast}/animal",
        ),
        thing=("the {tool}/thing", "a {quality} {tool}/thing", "a doll/thing named {N}/thing", "a toy {beast}/thing"),
        place=(
            *("the {spot}/place", "a {quality} {spot}/place", "a village/place named {N}/place"),
            "the {quality} {spot}/place",
        ),
    ),
    "test": Part(
        words=TEST,
        someone=("queen", "captain", "nurse", "giant", "prince", "teacher", "aunt", "merchant", "witch", "lady"),
        qualities=("strange", "lovely", "famous", "new"),
        sentences=(
            "{person} lost {thing} on the way to {place} , but {animal} found it .",
            "nobody {at_place} had ever seen {person} , {animal} , or {thing} .",
            "first {animal} jumped over {thing} , and then {person} ran away from {place} .",
            "{place} belonged to {person} , and {thing} was for {animal} .",
            "what did {animal} find {at_place} ? {person} , asleep beside {thing} .",
            "{person} told {animal} a story about {place} and {thing} .",
        ),
        person=(
            "{N}/person",
            "the {someone}/person",
            "a {man}/person called {N}/person",
            "a {quality} {someone}/person",
        ),
        animal=(
            *("the {beast}/animal", "a {quality} {beast}/animal", "{a_beast}/animal called {N}/animal"),
            "this {quality} {beast}/animal",
        ),
        thing=(
            *("the {tool}/thing", "a {quality} {tool}/thing", "a ship/thing called {N}/thing"),
            "a wooden {beast}/thing",
        ),
        place=(
            *("the {spot}/place", "a {quality} {spot}/place", "a city/place called {N}/place"),
            "this {quality} {spot}/place",
        ),
    ),
}


def make(draw: Draw, part: str, label: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """A sentence whose words stand between blanks, and the class of each word; every sentence has all classes."""
    of = PARTS[part]
    phrases = {}
    for person, kind in zip(of.words.people(draw, 4), LABELS[1:], strict=True):
        beast = draw.pick(of.words.animals)
        spot, preposition = draw.pick(of.words.places)
        form = draw.pick(getattr(of, kind))
        phrases[kind] = form.format(
            **person.slots(),
            someone=draw.pick(of.someone),
            quality=draw.pick(of.qualities),
            beast=beast,
            a_beast=a(beast),
            tool=draw.pick(of.words.things),
            spot=spot,
        )
        phrases[f"at_{kind}"] = f"{preposition if '{spot}' in form else 'in'} {phrases[kind]}"
    text, labels = [], []
    for word in draw.pick(of.sentences).format(**phrases).split():
        word, _, kind = word.partition("/")
        text.append(word)
        labels.append(LABELS.index(kind or "other"))
    return (" ".join(text),), tuple(labels)
