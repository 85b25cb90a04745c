"""The words of the toy tasks: all well known from the story books, those of the test split apart from the others."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Random choices that are the same on every machine and in every version of Python."""

    def __init__(self, seed: str):
        self._random = Random(seed)  # a text as seed: hashed with SHA-512

    def below(self, n: int) -> int:
        """A number from 0 to n - 1."""
        return self._random.randrange(n)

    def pick(self, items: Sequence[T]) -> T:
        """One of them."""
        return items[self.below(len(items))]

    def several(self, items: Sequence[T], n: int) -> list[T]:
        """n different ones."""
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(n)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All of them in another order."""
        return self.several(items, len(items))


@dataclass(frozen=True)
class Person:
    """Somebody with the pronouns that go with the name."""

    name: str
    girl: bool

    def slots(self, letter: str = "N") -> dict[str, str]:
        """{N} the name and, for the main person N, the words that stand for it."""
        if letter != "N":
            return {letter: self.name}
        he, his, him = ("she", "her", "her") if self.girl else ("he", "his", "him")
        boy, man = ("girl", "woman") if self.girl else ("boy", "man")
        return {"N": self.name, "he": he, "his": his, "him": him, "boy": boy, "man": man}


@dataclass(frozen=True)
class Words:
    """Names, animals, things, and places with the words that say "there": the words of one part of a toy task."""

    girls: tuple[str, ...]
    boys: tuple[str, ...]
    animals: tuple[str, ...]
    things: tuple[str, ...]
    places: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The girls, then the boys."""
        return self.girls + self.boys

    def people(self, draw: Draw, n: int) -> list[Person]:
        """n different persons."""
        return [Person(name, name in self.girls) for name in draw.several(self.names, n)]

    def scene(self, draw: Draw) -> dict[str, str]:
        """Slots for an animal, a thing and a place: {animal} {a_animal} {thing} {a_thing} {place} {there}."""
        animal, thing, (place, there) = draw.pick(self.animals), draw.pick(self.things), draw.pick(self.places)
        return {
            "animal": animal,
            "a_animal": a(animal),
            "thing": thing,
            "a_thing": a(thing),
            "place": place,
            "there": f"{there} the {place}",
        }


def a(noun: str) -> str:
    """The noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def sentence(template: str, **slots: str) -> str:
    """The template filled, with a capital letter wherever a sentence begins."""
    return re.sub(r"(^|[.!?] )([a-z])", lambda found: found[1] + found[2].upper(), template.format(**slots))


TRAIN = Words(
    girls=("Mary", "Alice", "Jane", "Polly", "Dorothy", "Anne", "Emily", "Sara", "Nan", "Janet"),
    boys=("Tom", "Peter", "Jack", "John", "Bert", "Billy", "George", "Robert", "Edward", "Hans"),
    animals=("dog", "cat", "horse", "fox", "rabbit", "bear", "hen", "duck", "mouse", "pig", "cow", "frog"),
    things=(
        *("ball", "book", "basket", "hat", "cake", "spoon", "box", "cup", "ring", "bell", "apple", "coat", "flower"),
        *("drum", "stick", "rope"),
    ),
    places=(
        *(("garden", "in"), ("river", "by"), ("hill", "on"), ("barn", "in"), ("yard", "in"), ("field", "in")),
        *(("woods", "in"), ("town", "in"), ("bridge", "on"), ("church", "in"), ("pond", "by"), ("castle", "in")),
    ),
)
TEST = Words(
    girls=("Lucy", "Susan", "Helen", "Jenny", "Clara", "Martha", "Nancy", "Diana", "Charlotte", "Rebecca"),
    boys=("Charlie", "Jimmy", "James", "Harry", "Oliver", "Philip", "Johnny", "Fred", "Martin", "Joe"),
    animals=("wolf", "goat", "sheep", "lion", "squirrel", "owl", "goose", "donkey", "lamb", "crow", "monkey", "pony"),
    things=(
        *("doll", "lamp", "egg", "pie", "sword", "clock", "key", "candle", "bag", "letter", "whistle", "shoe"),
        *("picture", "penny", "mirror", "feather"),
    ),
    places=(
        *(("forest", "in"), ("meadow", "in"), ("cottage", "in"), ("lake", "by"), ("farm", "on"), ("island", "on")),
        *(("valley", "in"), ("school", "in"), ("mill", "in"), ("stable", "in"), ("shore", "on"), ("road", "on")),
    ),
)
