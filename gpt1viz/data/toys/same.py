"""Do two sentences say the same, or are the roles swapped?

Both sentences have the same two nouns and the same verb, and the ways of putting things are the same for both labels,
so that only who does what to whom tells them apart. Mostly one of the two would hardly do it (a cart does not pull a
horse), and who knows the words sees it; two animals may do it either way, and only comparing helps.
"""

from dataclasses import dataclass

from .words import TEST, TRAIN, Draw, Words, sentence

LABELS = ("different", "same")


@dataclass(frozen=True)
class Act:
    """What `who` does to `what`: past tense, participle, and nouns; without nouns two animals do it."""

    did: str
    done: str
    who: tuple[str, ...] = ()
    what: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """Words and templates of training and validation, or of the test. In `ways` {a} {did} something to {b}."""

    words: Words
    times: tuple[str, ...]
    ways: tuple[str, ...]
    acts: tuple[Act, ...]
    either: tuple[Act, ...]


def _act(did: str, done: str, who: str = "", what: str = "") -> Act:
    return Act(did, done, tuple(who.split()), tuple(what.split()))


PARTS = {
    "train": Part(
        words=TRAIN,
        times=("in the morning", "before dinner", "after the rain", "one day", "at night", "in the snow"),
        ways=(
            "the {a} {did} the {b} {time}.",
            "{time} the {a} {did} the {b}.",
            "the {b} was {done} by the {a} {time}.",
            "{time} the {b} was {done} by the {a}.",
            "it was the {a} that {did} the {b} {time}.",
        ),
        acts=(
            _act("ate", "eaten", "pig cow bear rabbit duck boy", "apple cake bread corn grass"),
            _act("drew", "drawn", "horse cow sailor", "cart carriage boat wagon"),
            _act("carried", "carried", "boy woman soldier horse farmer girl", "basket box drum stick stone cup"),
            _act("pulled", "pulled", "horse cow man boy", "rope wagon boat cart"),
            _act("opened", "opened", "king girl farmer princess mouse", "box door gate window basket"),
            _act("read", "read", "boy girl king doctor", "book story newspaper"),
            _act("wore", "worn", "king princess woman soldier", "hat ring coat crown dress"),
            _act("built", "built", "bird man farmer king", "nest house bridge castle wall"),
            _act("rang", "rung", "boy soldier doctor woman", "bell"),
            _act("cut", "cut", "farmer woman sailor hunter", "rope tree bread flower stick"),
            _act("found", "found", "dog frog boy princess sailor hen", "ball cup spoon ring stone coat"),
            _act("threw", "thrown", "boy hunter girl sailor", "ball stick stone hat rope"),
            _act("chased", "chased", "cat dog fox hunter", "mouse rabbit hen duck"),
            _act("caught", "caught", "hunter sailor bear cat", "fish rabbit mouse bird"),
        ),
        either=(
            *(_act("followed", "followed"), _act("helped", "helped"), _act("pushed", "pushed")),
            *(_act("watched", "watched"), _act("bit", "bitten")),
        ),
    ),
    "test": Part(
        words=TEST,
        times=("yesterday", "on Sunday", "last summer", "on Christmas day", "long ago", "this afternoon"),
        ways=(
            "it was the {b} that was {done} by the {a} {time}.",
            "the {a} was the one that {did} the {b} {time}.",
            "who {did} the {b} {time}? the {a} did.",
            "{time} somebody {did} the {b}: it was the {a}.",
            "what was {done} by the {a} {time}? the {b} was.",
        ),
        acts=(
            _act("broke", "broken", "giant goat witch donkey monkey", "lamp clock egg mirror candle"),
            _act("lost", "lost", "nurse prince aunt captain", "penny key shoe whistle feather"),
            _act("hid", "hidden", "witch crow squirrel queen", "penny candle letter key egg"),
            _act("sold", "sold", "captain aunt merchant", "sword lamp doll picture pony"),
            _act("wrote", "written", "queen captain teacher lady", "letter song"),
            _act("swallowed", "swallowed", "goat giant lion goose", "egg pie penny feather"),
            _act("held", "held", "lady prince queen giant", "sword mirror candle doll"),
            _act("painted", "painted", "teacher lady aunt", "picture fence doll"),
            _act("hunted", "hunted", "lion wolf owl", "lamb squirrel goose"),
        ),
        either=(_act("saved", "saved"), _act("taught", "taught"), _act("thanked", "thanked")),
    ),
}


def make(draw: Draw, part: str, label: int) -> tuple[tuple[str, ...], int]:
    """Two sentences; where they differ, the roles are swapped in one of them."""
    of = PARTS[part]
    act = draw.pick(of.acts if draw.below(5) else of.either)
    a, b = (draw.pick(act.who), draw.pick(act.what)) if act.who else draw.several(of.words.animals, 2)
    slots = {"did": act.did, "done": act.done}
    slots["time"] = draw.pick((of.words.scene(draw)["there"], draw.pick(of.times)))
    right = {"a": a, "b": b}
    other = right if LABELS[label] == "same" else {"a": b, "b": a}
    ways = draw.several(of.ways, 2)
    roles = draw.shuffled((right, other))
    return tuple(sentence(way, **role, **slots) for way, role in zip(ways, roles, strict=True)), label
