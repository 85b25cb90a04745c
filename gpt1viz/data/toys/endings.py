"""Which ending fits a story?

Both endings belong to things that the story names, and each ending is right as often as wrong: what decides is how
somebody feels, what somebody is not, or which of two persons it is.
"""

from dataclasses import dataclass

from .words import TEST, TRAIN, Draw, Words, sentence


@dataclass(frozen=True)
class Need:
    """A state, other words for it, what would help, and what somebody does then."""

    state: str
    clue: str
    help: str
    act: str


@dataclass(frozen=True)
class Part:
    """Words and templates of training and validation, or of the test.

    Needs {k}: {state1} {help1} is what somebody needs, {state2} {help2} what he does not. `felt` are about one person
    {N}, `pairs` about {N}, who needs the first, and {M}, who needs the second. `clue` stands for the needed state.
    """

    words: Words
    needs: tuple[Need, ...]
    openings: tuple[str, ...]
    helps: tuple[str, ...]
    felt: tuple[str, ...]
    pairs: tuple[str, ...]
    endings: tuple[str, ...]


PARTS = {
    "train": Part(
        words=TRAIN,
        needs=(
            Need("hungry", "{he} had eaten nothing all day", "some bread", "ate the bread"),
            Need("thirsty", "{he} wanted something to drink", "a cup of water", "drank the water"),
            Need("tired", "{he} could not keep {his} eyes open", "a soft bed", "lay down on the bed"),
            Need("cold", "{his} hands were like ice", "a warm fire", "sat down by the fire"),
            Need("dirty", "{his} face was black", "a piece of soap", "washed {his} face with the soap"),
            Need("hot", "the sun burned {him}", "a shady tree", "rested under the tree"),
            Need("lost", "{he} did not know the way", "an old man", "asked the old man the way"),
            Need("late", "{he} had to hurry home", "a fast horse", "rode away on the horse"),
        ),
        openings=(
            "{N} came home from the {place}.",
            "One day {N} went to the {place}.",
            "It was evening, and {N} was {there}.",
        ),
        helps=("There was {one} and {two}.", "{he} saw {one} and {two}.", "Before {him} was {one}, and also {two}."),
        felt=(
            "{he} was very {state1}.",
            "{clue1}.",
            "{he} was {state1}, but not {state2}.",
            "{he} was not {state2}, but {he} was {state1}.",
        ),
        pairs=(
            "{N} was {state1}, and {M} was {state2}.",
            "{M} was {state2}, but {N} was {state1}.",
        ),
        endings=("So {who} {act}.", "Then {who} {act}."),
    ),
    "test": Part(
        words=TEST,
        needs=(
            Need("starving", "{his} stomach was empty", "a pot of soup", "took a spoon and finished the soup"),
            Need("sleepy", "{his} head sank lower and lower", "a pillow", "laid {his} head on the pillow"),
            Need("wet", "rain was dripping from {his} hair", "a dry shirt", "put on the dry shirt"),
            Need("ill", "{he} had a bad pain", "a bottle of medicine", "took the medicine"),
            Need("lonely", "{he} had nobody to play with", "a group of children", "ran to play with the children"),
            Need("curious", "{he} wanted to know every secret", "a closed chest", "lifted the lid of the chest"),
            Need("frightened", "{he} heard a strange noise", "a strong door", "shut the door and locked it"),
        ),
        openings=(
            "Far away {there} lived {N}.",
            "{N} walked along the path to the {place}.",
            "{N} knocked at a house near the {place}.",
        ),
        helps=("Not far from {him} {he} found {one} and {two}.", "A kind woman showed {him} {one} and {two}."),
        felt=(
            "How {state1} {he} felt!",
            "Now {clue1}.",
            "{N} felt {state1}, though not at all {state2}.",
            "{state2} {he} was not, only {state1}.",
        ),
        pairs=(
            "{N} felt {state1}, while {M} felt {state2}.",
            "It was {M} who felt {state2}, and it was {N} who felt {state1}.",
        ),
        endings=("In a moment {who} {act}.", "{who} {act} at once."),
    ),
}


def make(draw: Draw, part: str, label: int) -> tuple[tuple[str, ...], int]:
    """(story, no question, ending, ending) and which ending is right."""
    of = PARTS[part]
    needed, other = draw.several(of.needs, 2)
    person, friend = of.words.people(draw, 2)
    one, two = draw.shuffled((needed.help, other.help))
    slots = person.slots() | friend.slots("M") | of.words.scene(draw) | {"one": one, "two": two}
    slots |= {"state1": needed.state, "state2": other.state}
    slots["clue1"] = needed.clue.format(**slots)
    opening, helps, ending = draw.pick(of.openings), draw.pick(of.helps), draw.pick(of.endings)
    about_two = draw.below(3) == 0
    if about_two:
        opening = opening.replace("{N}", "{N} and {M}").replace(" was {there}", " were {there}")
        helps = helps.replace("{he}", "they").replace("{him}", "them")
        told = draw.pick(of.pairs)
        who, does = draw.pick(((person, needed), (friend, other)))
        if draw.below(2):  # the wrong one does the same, or the right one does the wrong thing
            wrong_who, wrong_does = (friend if who is person else person), does
        else:
            wrong_who, wrong_does = who, (other if does is needed else needed)
    else:
        told = draw.pick(of.felt)
        who, does, wrong_who, wrong_does = person, needed, person, other
    story = sentence(f"{opening} {helps} {told}", **slots)
    right, wrong = (
        sentence(ending, who=one.name if about_two else one.slots()["he"], act=does.act.format(**one.slots()))
        for one, does in ((who, does), (wrong_who, wrong_does))
    )
    return (story, "", *((right, wrong) if label == 0 else (wrong, right))), label
