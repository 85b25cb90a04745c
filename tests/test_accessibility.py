"""Every page for people who use a keyboard, a screen reader, large print or other eyes: axe-core, keys, zoom, names."""

import re

import pytest
from app_page import IDLE, MOST, becomes, box, grid, linked, says, strip
from axe_playwright_python.base import AXE_SCRIPT
from house import ROOT
from view_page import grid_payload, shown, strip_payload

from gpt1viz.text import t

pytestmark = pytest.mark.browser

PAGES = sorted(path.stem for path in (ROOT / "app" / "views").glob("*.py"))
LOOKS = [("en", False), ("zh", True), ("zh", False), ("en", True)]  # language, dark
PARTS = {
    "block": ["?part=norms", "?part=mlp"],
    "inside": ["?tab=heads", "?tab=patch", "?tab=attribution", "?tab=contrast", "?tab=patterns"],
}
# What Streamlit gets wrong and we cannot mend: rule, elements, the page it is on (None: on every page).
STREAMLIT = [
    ("list", "[data-testid=stSidebarNavItems]", None),  # boxes around each group's links, within the list
    ("listitem", "[data-testid=stSidebarNavItems] li", None),  # the same, seen from the links
    ("color-contrast", "[data-testid=stWidgetLabel] p", "inputs"),  # of a disabled control, not marked as its label
]
PLOTS = ".main-svg"  # of text on shapes axe seldom knows the background, and it takes long
AXE = """
async ([known, exclude]) => {
  const options = { elementRef: true, resultTypes: ["violations"] };
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run({ include: [document], exclude }, { ...options, runOnly: tags });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => {
    const found = known.findIndex(([rule, elements]) => rule === id && node.element.matches(elements));
    const why = [...node.any, ...node.all, ...node.none].map((check) => check.message);
    return [found, `${id}: ${node.html.slice(0, 200)} ${why}`];
  }));
}
"""
READY = """
() => {
  const filled = (e) => e.shadowRoot.querySelector("button, canvas, svg, [role=option], .root > *");
  const all = (selector, is) => [...document.querySelectorAll(selector)].every(is);
  return !document.querySelector("[data-testid=stSkeleton], [data-stale=true]")
    && all("[data-testid=stBidiComponentIsolated]", filled)
    && all(".stPlotlyChart", (e) => e.querySelector(".main-svg"));
}
"""
# The element that has the focus, and whether it or what encloses it closely has a ring of two pixels.
FOCUS = """
() => {
  let found = document.activeElement;
  while (found.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  const ringed = (e, up) => {
    if (!e || up > 3) return false;
    const style = getComputedStyle(e);
    return (style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2) || ringed(e.parentElement, up + 1);
  };
  if (found === document.body) return null;
  if (found.matches("main")) return ["main", ringed(found, 0)];
  return [found.ariaLabel || (found.querySelector("p") || found).innerText, ringed(found, 0)];
}
"""


def axe(page, *exclude: str) -> list:
    """What axe-core finds: (place in STREAMLIT or -1, what it is)."""
    page.evaluate(AXE_SCRIPT)
    return page.evaluate(AXE, [STREAMLIT, exclude])


def ready(page, name, lang):
    page.get_by_role("heading", name=t(f"app.{name}", lang), exact=True, level=1).wait_for()
    page.wait_for_selector(IDLE)
    page.wait_for_function(READY, timeout=MOST)
    names = "() => [...document.querySelectorAll('[class*=st-key-drawing_]')].map((e) => `${e.role} ${e.ariaLabel}`)"
    becomes(page, lambda: [name for name in page.evaluate(names) if not re.match(r"figure (?!null$).", name)], [])


def faults(page, name, *exclude: str) -> list:
    """What is wrong on a page; what is known of Streamlit has to be there."""
    found = axe(page, *exclude)
    expected = {i for i, (_, _, only) in enumerate(STREAMLIT) if only in (None, name)}
    gone = [f"no longer: {STREAMLIT[i]}" for i in expected - {known for known, _ in found}]
    return [what for known, what in found if known not in expected] + gone


@pytest.mark.parametrize("n", [0, 1])
def test_axe_finds_nothing(visit, site, n):
    """Half of the pages each: in English and light, in Chinese and dark."""
    lang, dark = LOOKS[n]
    first, *others = PAGES[n::2]
    page = visit(f"{site}/{first}?lang={lang}", dark=dark)
    ready(page, first, lang)
    found = {first: faults(page, first, PLOTS)}
    for name in others:
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=t(f"app.{name}", lang), exact=True).click()
        ready(page, name, lang)
        found[name] = faults(page, name, PLOTS)
    assert found == {name: [] for name in PAGES[n::2]}


@pytest.mark.long
@pytest.mark.parametrize("lang, dark", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_in_any_look(visit, site, name, lang, dark):
    """Also in the other parts of a page and behind every click; and nothing sticks out at twice the size."""
    for part in ["?", *PARTS.get(name, [])]:
        page = visit(f"{site}/{name}{part}&lang={lang}", dark=dark)
        ready(page, name, lang)
        for summary in page.locator("summary").all():
            summary.click()
        ready(page, name, lang)
        assert faults(page, name) == [], part
        page.set_viewport_size({"width": 640, "height": 450})
        assert page.locator("[data-testid=stMain]").evaluate("(e) => e.scrollWidth - e.clientWidth") == 0


@pytest.mark.parametrize("lang, dark", LOOKS[:2])
def test_axe_finds_nothing_in_the_views_of_notebooks(browser, tmp_path, lang, dark):
    with shown(browser, tmp_path) as show:
        page = show(grid=grid_payload(lang=lang)[-1], strip=strip_payload(lang=lang)[-1], dark=dark)
        page.evaluate("document.documentElement.lang = 'en'; document.title = 'views'")
        about_the_page = ("landmark-one-main", "page-has-heading-one", "region")
        assert [what for _, what in axe(page) if not what.startswith(about_the_page)] == []


def test_at_twice_the_size_nothing_is_covered_or_sticks_out(visit, site):
    page = visit(f"{site}/attention", width=640, height=450)
    ready(page, "attention", "en")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert page.locator("[data-testid=stMain]").evaluate("(e) => e.scrollWidth <= e.clientWidth")
    title = page.get_by_role("heading", level=1).bounding_box()
    bar = page.get_by_test_id("stHeader").bounding_box()
    assert title["y"] >= bar["y"] + bar["height"]
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)[0] != t("app.tour", "en")  # what is closed has no focus


def test_the_keyboard_reaches_everything_and_shows_where_it_is(visit, site):
    lang = "zh"
    page = visit(f"{site}/attention?lang={lang}", dark=True)
    ready(page, "attention", lang)
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    stops = []
    while len(stops) < 80:
        page.keyboard.press("Tab")
        if (stop := page.evaluate(FOCUS)) is None:
            break
        stops.append(stop)
    assert [name for name, ringed in stops if not ringed or not name] == []
    names = [name for name, _ in stops]
    words = (
        "tour",
        "compare",
        "language",
        "model",
        "copy_link",
        "text",
        "lines",
        "examples",
        "colour_by",
        "layer",
    )
    words += ("head", "position", "key", "lift_mask", "more", "show_code")
    walk = [names.index(t(f"app.{word}", lang)) for word in words]
    assert walk == sorted(walk) and len(stops) < 80  # in reading order; Tab is never held
    assert t("views.grid_tiles_label", lang) in names
    assert page.get_by_role("listbox").get_by_role("option").count() == strip(page).locator(".g1v-chip").count()


def test_keys_move_the_focus_and_lock_a_cell(visit, site):
    page = visit(f"{site}/attention?text=the+fox+and+the+hen&layer=1&head=1")
    ready(page, "attention", "en")
    page.get_by_role("button", name=t("app.examples", "en")).focus()
    page.keyboard.press("Tab")  # the strip: at the focus token
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    strip(page).locator(".g1v-readout[aria-live=polite]", has_text="position 2").wait_for()
    page.keyboard.press("Enter")
    linked(page, pos=2)
    becomes(page, lambda: box(page, "position").input_value(), "2")
    says(grid(page), "“and” (2)")  # the new text is there
    grid(page).locator("canvas").nth(1).focus()
    for key in ("ArrowUp", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    row = re.search(r"“fox” \(1\) → “the” \(0\): weight (\S+)", says(grid(page), "“fox” (1)", "(0)"))
    twin = grid(page).locator("table tr").all()
    assert ["the", row[1]] in [line.locator("td").all_inner_texts() for line in twin]
    page.keyboard.press("Enter")
    linked(page, pos=1, key=0)
    page.wait_for_selector(IDLE)
    page.keyboard.press("Escape")
    page.wait_for_function("!new URL(location.href).searchParams.has('key')")
