"""Which ending fits a story?

Each ending is right as often as wrong: what decides is how somebody is or feels, what somebody does not feel, or which
of two persons it is.
"""

from dataclasses import dataclass

from .words import TEST, TRAIN, Draw, Words, sentence


@dataclass(frozen=True)
class Feeling:
    """How somebody is, told in a word or otherwise, and what is then done."""

    states: tuple[str, ...]
    clues: tuple[str, ...]
    acts: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Words and templates of training and validation, or of the test.

    `plain` and `denied` are about {N} alone, who is {state} and not {other}; {clue} says {state} in other words. In
    `pairs` {M} is {other}.
    """

    words: Words
    feelings: tuple[Feeling, ...]
    openings: tuple[str, ...]
    plain: tuple[str, ...]
    denied: tuple[str, ...]
    pairs: tuple[str, ...]
    endings: tuple[str, ...]


PARTS = {
    "train": Part(
        words=TRAIN,
        feelings=(
            Feeling(
                ("hungry",),
                ("{he} had eaten nothing all day", "{he} wanted {his} dinner"),
                ("ate some bread", "ate a big cake", "ate an apple"),
            ),
            Feeling(
                ("thirsty",),
                ("{he} wanted something to drink", "{his} mouth was dry"),
                ("drank some water", "drank a cup of milk", "drank from the well"),
            ),
            Feeling(
                ("tired", "weary"),
                ("{he} had walked all day", "{he} could not keep {his} eyes open"),
                ("went to bed", "went to sleep", "lay down to rest"),
            ),
            Feeling(
                ("cold",),
                ("{his} hands were like ice", "{he} had no coat in the snow"),
                ("sat down by the fire", "put on a warm coat", "made a fire"),
            ),
            Feeling(
                ("dirty",),
                ("{his} face was black", "there was mud on {his} hands"),
                ("washed {his} face", "got into the bath", "washed {his} hands"),
            ),
            Feeling(
                ("happy", "merry", "glad"),
                ("{he} had a new pony", "it was {his} birthday"),
                ("laughed and sang", "danced about the room", "began to sing"),
            ),
            Feeling(
                ("sad", "sorry"),
                ("{his} little bird was dead", "{he} had lost {his} best friend"),
                ("began to cry", "cried and cried", "wept for a long time"),
            ),
            Feeling(
                ("afraid",),
                ("a bear came out of the woods", "there was a noise in the dark"),
                ("ran away", "hid behind a tree", "ran home as fast as {he} could"),
            ),
        ),
        openings=(
            "{N} came home from the {place}.",
            "{N} was {there}.",
            "One day {N} went to the {place}.",
            "{N} stood {there}.",
        ),
        plain=("{he} was very {state}.", "{he} was so {state}!", "{clue}.", "{he} was {state}, for {clue}."),
        denied=(
            "{he} was {state}, but not {other}.",
            "{he} was not {other}, but {he} was {state}.",
            "{he} was no longer {other}, but {he} was {state}.",
        ),
        pairs=(
            "{N} was {state}, and {M} was {other}.",
            "{M} was {other}, but {N} was {state}.",
        ),
        endings=("So {who} {act}.", "Then {who} {act}."),
    ),
    "test": Part(
        words=TEST,
        feelings=(
            Feeling(
                ("starving", "half starved"),
                ("{his} stomach was empty", "{he} had gone without {his} supper"),
                ("had some pie", "tasted the soup", "took a bite of cheese"),
            ),
            Feeling(
                ("sleepy", "drowsy"),
                ("{his} head sank lower and lower", "{he} had not slept for two nights"),
                ("crept under the blankets", "closed {his} eyes", "shut {his} eyes and dreamed"),
            ),
            Feeling(
                ("chilly", "half frozen"),
                ("snow fell upon {his} bare feet", "the wind blew through {his} thin clothes"),
                ("warmed {his} toes at the stove", "lit the stove", "wrapped up in a thick shawl"),
            ),
            Feeling(
                ("muddy", "dusty"),
                ("{his} clothes needed cleaning", "{he} had fallen into a ditch"),
                ("scrubbed with soap", "jumped into the tub", "bathed in the lake"),
            ),
            Feeling(
                ("joyful", "delighted"),
                ("father gave {him} a present", "{he} had won the prize"),
                ("clapped and shouted hurrah", "skipped with delight", "smiled from ear to ear"),
            ),
            Feeling(
                ("miserable", "unhappy"),
                ("{his} poor kitten had died", "no one would be kind to {him}"),
                ("sobbed aloud", "burst into tears", "wiped away a tear"),
            ),
            Feeling(
                ("frightened", "terrified"),
                ("a lion began to roar", "a wolf sprang out of the bushes"),
                ("fled", "screamed with fear", "climbed up a ladder to be safe"),
            ),
        ),
        openings=(
            "{N} was all alone {there}.",
            "{N} had been {there} for hours.",
            "That evening {N} left the {place}.",
        ),
        plain=("how {state} {he} felt!", "{he} felt {state}.", "now {clue}.", "poor {N} felt {state}: {clue}."),
        denied=(
            "{he} felt {state}, though not at all {other}.",
            "{he} did not feel {other}, only {state}.",
        ),
        pairs=(
            "{N} felt {state}, while {M} felt {other}.",
            "It was {M} who felt {other}, and it was {N} who felt {state}.",
        ),
        endings=("At last {who} {act}.", "In a moment {who} {act}."),
    ),
}


def make(draw: Draw, part: str, label: int) -> tuple[tuple[str, ...], int]:
    """(story, no question, ending, ending) and which ending is right."""
    of = PARTS[part]
    feelings = draw.several(of.feelings, 2)
    person, friend = of.words.people(draw, 2)
    slots = person.slots() | friend.slots("M") | of.words.scene(draw)
    act, other_act = (draw.pick(feeling.acts) for feeling in feelings)
    slots["state"], slots["other"] = (draw.pick(feeling.states) for feeling in feelings)
    slots["clue"] = draw.pick(feelings[0].clues).format(**slots)
    opening, ending = draw.pick(of.openings), draw.pick(of.endings)
    form = draw.below(5)
    if form < 4:
        told = draw.pick(of.denied if form == 3 else of.plain)
        who = slots["he"]
    else:
        told, who = draw.pick(of.pairs), person.name
        opening = ""
    story = sentence(f"{opening} {told}".strip(), **slots)
    right, wrong = (sentence(ending, who=who, act=do.format(**slots)) for do in (act, other_act))
    return (story, "", *((right, wrong) if label == 0 else (wrong, right))), label
