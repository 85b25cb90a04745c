"""Is somebody happy or not at the end of a short story? With negations and changes of mood.

Words for good and for bad moods are equally frequent in both classes, and so are "not", "but" and the like: what
counts is what is denied and what comes last.
"""

from dataclasses import dataclass

from .words import TEST, TRAIN, Draw, Words, sentence

LABELS = ("unhappy", "happy")


@dataclass(frozen=True)
class Part:
    """Words and templates of training and validation, or of the test.

    Adjectives and verbs (past, infinitive) are (unhappy, happy). In the templates {good} and {bad} are adjectives of
    the right and the wrong mood, {did_good} and {did_bad} verbs, {do_bad} an infinitive.
    """

    words: Words
    adjectives: tuple[tuple[str, ...], tuple[str, ...]]
    verbs: tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]
    openings: tuple[str, ...]
    plain: tuple[str, ...]
    denied: tuple[str, ...]
    changed: tuple[str, ...]


PARTS = {
    "train": Part(
        words=TRAIN,
        adjectives=(
            (
                *("sorry", "angry", "cross", "afraid", "lonely", "troubled", "anxious", "disappointed", "worried"),
                *("ashamed", "wretched", "gloomy", "uneasy", "jealous"),
            ),
            (
                *("glad", "merry", "pleased", "proud", "jolly", "grateful", "contented", "satisfied", "comfortable"),
                *("thankful", "hopeful", "joyous", "relieved", "amused"),
            ),
        ),
        verbs=(
            (("cried", "cry"), ("wept", "weep"), ("trembled", "tremble"), ("groaned", "groan"), ("screamed", "scream")),
            (("laughed", "laugh"), ("smiled", "smile"), ("sang", "sing"), ("danced", "dance"), ("whistled", "whistle")),
        ),
        openings=(
            "{N} went to the {place} with {his} {animal}.",
            "One morning {N} sat {there} with {a_thing} in {his} hand.",
            "Mother sent {N} to the {place} with {a_thing}.",
            "{N} had a little {animal} that lived {there}.",
            "It was evening when {N} came home from the {place}.",
            "{N} carried {a_thing} to {his} grandmother.",
            "{a_animal} came to {N} and asked for {a_thing}.",
            "{N} and the {animal} played {there}, and {N} hid the {thing}.",
        ),
        plain=(
            "{he} was very {good}.",
            "how {good} {he} was!",
            "{he} felt {good}.",
            "{he} looked {good}, and {he} {did_good}.",
            "{he} {did_good} and {did_good} again.",
            "all day long {he} {did_good}.",
            "no one was so {good} as {he} was.",
            "{he} grew very {good}.",
        ),
        denied=(
            "{he} was not {bad} at all.",
            "{he} was not {bad} any more.",
            "{he} did not feel {bad}.",
            "{he} was no longer {bad}.",
            "{he} {did_bad} no more.",
            "{he} did not {do_bad}, and {he} was not {bad}.",
            "{he} looked {bad}, but {he} was not.",
            "{he} never {did_bad}, for {he} was not {bad}.",
        ),
        changed=(
            "at first {he} was {bad}, but soon {he} {did_good}.",
            "first {he} {did_bad}, and then {he} was {good}.",
            "{he} had been {bad} all day, but now {he} was {good}.",
            "yesterday {he} had been {bad}, but today {he} felt {good}.",
            "{he} was {bad} in the morning and {good} in the evening.",
            "{he} was {good} now, though {he} had been {bad} before.",
            "now {he} {did_good}, but in the morning {he} had been {bad}.",
            "{he} went away {bad} and came home {good}.",
        ),
    ),
    "test": Part(
        words=TEST,
        adjectives=(
            ("sad", "unhappy", "miserable", "frightened"),
            ("happy", "cheerful", "delighted", "joyful"),
        ),
        verbs=(
            (("sobbed", "sob"), ("sighed", "sigh"), ("moaned", "moan")),
            (("chuckled", "chuckle"), ("grinned", "grin"), ("cheered", "cheer")),
        ),
        openings=(
            "All day long {N} worked {there}.",
            "Near the {place} there lived a {boy} called {N}.",
            "{N} walked to the {place} to look for {a_thing}.",
            "Father told {N} to fetch {a_thing} from the {place}.",
            "{a_animal} ran away with the {thing}, and {N} ran after it.",
            "{N} opened the door and saw {a_animal}.",
            "There was {a_thing} {there}, and {N} picked it up.",
            "{N} dreamed of {a_animal} with {a_thing}.",
        ),
        plain=(
            "{he} felt very {good} indeed.",
            "oh, how {good} {he} looked!",
            "never before had {he} been so {good}.",
            "{he} {did_good} all the way home.",
        ),
        denied=(
            "no, {he} did not look {bad}.",
            "{he} could not feel {bad} any longer.",
            "{he} did not once {do_bad}, and {he} did not look {bad}.",
            "{he} was not at all {bad} now.",
        ),
        changed=(
            "first {he} felt {bad}, but soon after {he} felt {good}.",
            "in the beginning {he} {did_bad}, and in the end {he} {did_good}.",
            "today {he} was {good}, though yesterday {he} had felt {bad}.",
            "{he} came home {bad}, but {he} went to bed {good}.",
        ),
    ),
}


def make(draw: Draw, part: str, label: int) -> tuple[tuple[str, ...], int]:
    """A story of two or three sentences, and its mood."""
    of = PARTS[part]
    ends = draw.pick((of.plain, of.denied, of.changed))
    (person,) = of.words.people(draw, 1)
    (did_good, _), (did_bad, do_bad) = draw.pick(of.verbs[label]), draw.pick(of.verbs[1 - label])
    mood = {
        "good": draw.pick(of.adjectives[label]),
        "bad": draw.pick(of.adjectives[1 - label]),
        "did_good": did_good,
        "did_bad": did_bad,
        "do_bad": do_bad,
    }
    template = f"{draw.pick(of.openings)} {draw.pick(ends)}"
    return (sentence(template, **person.slots(), **of.words.scene(draw), **mood),), label
