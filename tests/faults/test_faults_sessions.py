"""Many browser sessions on one server: each sees its own text only, and the server's memory levels off.

The long form (20 sessions, five minutes) writes the memory it has seen into docs/faults.md.
"""

import random
import re
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from app_page import MOST
from app_server import serving
from browsing import choose, read, settle, turn, write
from cases import LONG, times
from tuned import base

from gpt1viz.text import LANGUAGES, t

pytestmark = [pytest.mark.area("browser sessions"), pytest.mark.browser]
SESSIONS, SECONDS, ROUNDS = times(4, 20), times(0, 300), 2
PAGES = ("tour", "tokens", "attention", "next_token", "inside", "embeddings", "compare", "block")
FAULTS = re.compile(r"Traceback|Exception|Error\b|CRITICAL")
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
SEEN = re.compile(r"(?<=<!-- sessions -->\n).*?(?=<!-- end sessions -->)", re.DOTALL)
MB = 1 << 20
MOST_GROWTH = 800  # MB over the start: what the server may keep of texts and models, and a page under way


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address, process and log of an app that offers two models."""
    folder = tmp_path_factory.mktemp("server")
    before = set(psutil.Process().children())
    with serving(folder, GPT1VIZ_MODELS=str(base(folder, n_layer=1)), GPT1VIZ_RUNS=str(folder / "runs")) as url:
        (process,) = set(psutil.Process().children()) - before
        yield url, process, folder / "log.txt"


class Session:
    """A browser of its own, as far as the server can tell, that types its own secret."""

    def __init__(self, browser, url: str, number: int):
        self.secret = "zq" + "".join("bdfgjkmpvw"[int(digit)] for digit in f"{number:03d}") + "x"
        self.draws, self.lang, self.faults = random.Random(number), "en", []
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000})  # no scrolling closes a box
        self.page = self.context.new_page()
        self.page.set_default_timeout(MOST)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(f"{url}/attention?text={quote(f'the {self.secret} fox ran')}")
        self.page.wait_for_selector(".g1v[data-kind]")
        settle(self.page)

    def act(self) -> str:
        """One thing that people do."""
        self.page.bring_to_front()  # else the browser puts off what it need not show
        what = self.draws.choice(("write", "write", "turn", "turn", "turn", "language", "model"))
        if what == "write":
            words = " ".join(self.draws.choices(("king", "river", "tree", "day"), k=self.draws.randint(1, 30)))
            write(self.page, f"{words} {self.secret} and the", self.lang)
        elif what == "turn":
            turn(self.page, self.draws.choice(PAGES), self.lang)
        elif what == "language":
            other = next(lang for lang in LANGUAGES if lang != self.lang)
            choose(self.page, t("app.language", self.lang), LANGUAGES[other])
            self.lang = other
        else:
            choose(self.page, t("app.model", self.lang), self.draws.choice(("base", "storybook")))
        return what


def test_each_session_sees_its_own_text_only(case, browser, server):
    url, process, log = server
    sessions = [Session(browser, url, number) for number in range(SESSIONS)]
    secrets = {session.secret for session in sessions}
    curve, began, rounds = [], time.monotonic(), 0
    while rounds < ROUNDS or time.monotonic() - began < SECONDS:
        rounds += 1
        for session in sessions:
            with case(f"{session.secret} round {rounds}"):
                what = session.act()
                shown = read(session.page)["text"]
                assert session.secret in shown, what
                assert not {secret for secret in secrets - {session.secret} if secret in shown}, what
                assert session.faults == []
            curve.append((time.monotonic() - began, process.memory_info().rss / MB))
    for session in sessions:
        session.context.close()
    with case("log"):
        assert not FAULTS.search(text := log.read_text(encoding="utf-8")), text[-3000:]
    with case("memory"):
        told = levels(curve)
        assert max(rss for _, rss in curve) - curve[0][1] < MOST_GROWTH, told
        if LONG:
            first, second = growth(curve)
            assert second < max(50, 0.5 * first), told
            line = f"{SESSIONS} sessions, {len(curve):,} acts in {curve[-1][0]:.0f} s. The server's memory: {told}.\n"
            PAGE.write_text(SEEN.sub(lambda _: line, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def levels(curve: list[tuple[float, float]]) -> str:
    """The memory at the start and after each minute, in words."""
    marks = [next(rss for at, rss in curve if at >= 60 * minute) for minute in range(int(curve[-1][0] // 60) + 1)]
    return ", ".join(f"{rss:.0f} MB after {minute} min" for minute, rss in enumerate([*marks, curve[-1][1]]))


def growth(curve: list[tuple[float, float]]) -> tuple[float, float]:
    """MB that the first and the second half of the time have added."""
    half = curve[-1][0] / 2
    middle = next(rss for at, rss in curve if at >= half)
    return middle - curve[0][1], curve[-1][1] - middle
