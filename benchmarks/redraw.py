"""From Enter to the last change on every page of the app that studies a text, in a real browser."""

from gpt1viz.checkpoints import load

from .page import ARGS, CHROMIUM, NAMES, row, served, text_of
from .report import Row

TITLE = "Enter to redrawn on the laboratory's pages, 64 tokens"
NOTE = (
    "The bundled model, headless Chromium, 1,280 x 900. The clock is the browser's: from the key's event to the last "
    "change of the page before it is at rest. Every text is new to the app."
)
AIM = 500  # ms
PAGES = {
    "Embeddings": "embeddings",
    "Block: walk": "block",
    "Block: MLP": "block?part=mlp",
    "Block: norms": "block?part=norms",
    "Inside: lens": "inside?tab=lens",
    "Inside: heads off": "inside?tab=heads",
    "Inside: patch": "inside?tab=patch",
    "Inside: attribution": "inside?tab=attribution",
    "Inside: A not B": "inside?tab=contrast",
    "Inside: patterns": "inside?tab=patterns",
    "Compare": "compare",
}

REST = 'document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning"'

# Resolves to milliseconds between the next Enter and the last change before the app has been at rest for 600 ms.
CLOCK = """() => {
  const app = document.querySelector("[data-testid=stApp]");
  let start, last;
  const every = { subtree: true, childList: true, attributes: true };
  new MutationObserver(() => (last = performance.now())).observe(app, every);
  document.addEventListener("keydown", () => (start = last = performance.now()), { capture: true, once: true });
  window.redrawn = new Promise((done, fail) => {
    setTimeout(() => fail(new Error("not redrawn within two minutes")), 120_000);
    const look = setInterval(() => {
      const still = app.dataset.testScriptState === "notRunning" && performance.now() - last > 600;
      if (start && last > start && still) {
        clearInterval(look);
        done(last - start);
      }
    }, 50);
  });
}"""


def measure(repeats: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    _, tokenizer, *_ = load("storybook")
    rows = []
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        for number, (name, path) in enumerate(PAGES.items()):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{url}/{path}")
            box = page.get_by_role("textbox").first
            box.wait_for(timeout=120_000)
            page.wait_for_function(REST, timeout=120_000)
            page.wait_for_timeout(1500)
            times = []
            for word in NAMES[: repeats + 1]:
                page.evaluate(CLOCK)
                box.fill(text_of(tokenizer, f"the {word} and {number} and "))
                box.press("Enter")
                times.append(page.evaluate("redrawn"))
            page.close()
            rows.append(row(name, times[1:], AIM))  # the first loads what is loaded once
        browser.close()
    return rows
