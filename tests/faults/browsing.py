"""Works pages of the app as people do, and reads all that they show, in shadow trees and boxes too."""

from app_page import IDLE, MOST

from gpt1viz.text import t

# Everything on the page as text, without blanks, as tokens are shown in pieces; and what its texts became.
READ = """() => {
  const texts = [], made = [];
  const walk = (root) => {
    for (const e of root.querySelectorAll("*")) {
      if (e.shadowRoot) walk(e.shadowRoot);
      if (e.value !== undefined && typeof e.value === "string") texts.push(e.value);
      if (e.title) texts.push(e.title);
      const bad = e.matches("evil-tag, .evil, iframe[srcdoc], [onerror], [onload], .katex, [href*=evil], [src*=evil]");
      if (bad) made.push(e.outerHTML.slice(0, 200));
    }
    texts.push(root.textContent ?? "");
  };
  walk(document.body);
  const address = new URL(location.href);
  texts.push(document.body.innerText, document.title, address.pathname, ...[...address.searchParams].flat());
  return { text: texts.join("|").replace(/\\s/g, ""), made, evil: window.evil ?? null };
}"""


def settle(page) -> None:
    """Until the page's script has run and all asked for is there."""
    page.wait_for_selector(IDLE, timeout=MOST)


def read(page) -> dict:
    """{"text": all of it, "made": elements that came from a text, "evil": what a script of a text has set}."""
    settle(page)
    return page.evaluate(READ)


def turn(page, name: str, lang: str) -> None:
    """To another page by its link at the side."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=t(f"app.{name}", lang), exact=True).click()
    page.get_by_role("heading", name=t(f"app.{name}", lang), exact=True, level=1).wait_for(timeout=MOST)
    settle(page)


def choose(page, label: str, option: str) -> None:
    """An option of a box at the side."""
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option).first.click()
    settle(page)


def write(page, text: str, lang: str) -> None:
    """The text into the page's shared box, which takes it at once."""
    box = page.get_by_label(t("app.text", lang), exact=True).first
    box.fill(text)
    box.press("Enter")
    settle(page)
