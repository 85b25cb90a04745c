"""What the canvas views show in a real browser, against the arrays they were given."""

import json

import numpy as np
import pytest
from browser import chromium, open_page, served
from view_data import attention, pieces

from gpt1viz import palette
from gpt1viz.views import attention_grid_payload, source, token_strip_payload

pytestmark = pytest.mark.browser

SENTENCE = "the rab|bit said to a fox , come in|side ¶ and sit by this ? fire"
N = 18
PAGE = """<!doctype html><meta charset="utf-8">
<style>body {{ margin: 0; background: {0}; --jp-layout-color0: {0}; --jp-ui-font-color1: {1} }}</style>
<div id="strip"></div><div id="grid"></div><button id="after">after</button>
<script type="module">
  window.picks = [];
  window.models = {{}};
  window.hovers = [];
  document.addEventListener("gpt1viz:hover", (event) => hovers.push(event.detail.position));
  window.load = async (name) => new DataView(await (await fetch(`${{name}}.bin`)).arrayBuffer());
  for (const name of {2}) {{
    const view = (await import(`./${{name}}.js`)).default;
    const data = {{ payload: await load(name) }};
    const model = models[name] = {{
      get: (key) => data[key],
      set: (key, value) => {{ data[key] = value; if (key === "picked") picks.push(value); }},
      save_changes: () => {{}},
      on: (what, call) => (model.changed = call),
      off: () => {{}},
    }};
    view.render({{ model, el: document.getElementById(name) }});
  }}
</script>"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def show(browser, tmp_path):
    """show(grid=payload, strip=payload) opens a page with these views and waits until they are drawn."""
    pages = []
    with served(tmp_path) as url:

        def show(width=982, dark=False, scale=1, **payloads):
            paper, ink = palette.PAPER[dark], palette.INK[dark]
            for name, payload in payloads.items():
                core = {"grid": "attention_grid", "strip": "token_strip"}[name]
                (tmp_path / f"{name}.js").write_text(source(core, "anywidget"), encoding="utf-8")
                (tmp_path / f"{name}.bin").write_bytes(payload)
            (tmp_path / "index.html").write_text(PAGE.format(paper, ink, json.dumps(list(payloads))), encoding="utf-8")
            page = open_page(browser, f"{url}/index.html", width=width, dark=dark, scale=scale)
            pages.append(page)
            if "grid" in payloads:
                page.wait_for_selector("#grid .g1v[data-head]")
            if "strip" in payloads:
                page.wait_for_selector("#strip .g1v[data-kind]")
            return page

        yield show
        for page in pages:
            assert page.faults == []
            page.close()


def send(page, name, payload, folder):
    """A new payload from the host."""
    (folder / f"{name}.bin").write_bytes(payload)
    page.evaluate(f"load('{name}').then((bytes) => {{ models.{name}.set('payload', bytes); models.{name}.changed() }})")


def grid_payload(n=N, **options):
    weights, scores = attention(3, 4, n)
    tokens = pieces(SENTENCE) if n == N else pieces(" ".join(f"w{i}" for i in range(n)))
    options = {"focus": (1, 2), "scores": scores[1, 2], "raw_scores": scores[1, 2] * 8, **options}
    return weights, scores, attention_grid_payload(weights, tokens, **options)


def canvas(page, name):
    """(locator, geometry in CSS pixels) of "tiles" or "matrix"."""
    found = page.locator("#grid canvas").nth(["tiles", "matrix"].index(name))
    return found, json.loads(found.get_attribute("data-geometry"))


def cell(page, q, s):
    """Where the large head's cell of query q and key s is."""
    _, g = canvas(page, "matrix")
    return {"x": g["left"] + (s - g["s0"] + 0.5) * g["cell"], "y": g["top"] + (q - g["q0"] + 0.5) * g["cell"]}


def tile(page, layer, head, i=0, j=0):
    """Where cell (i, j) of a tile is."""
    _, g = canvas(page, "tiles")
    x, y = g["left"] + head * g["step"] + (j + 0.5) * g["cell"], g["top"] + layer * g["step"] + (i + 0.5) * g["cell"]
    return {"x": x, "y": y}


def readout(page, name="grid"):
    return page.locator(f"#{name} .g1v-readout").inner_text()


def pixel(page, name, at, scale=1):
    """Colour (R, G, B) of a canvas at a place in CSS pixels."""
    found, _ = canvas(page, name)
    x, y = int(at["x"] * scale), int(at["y"] * scale)
    return found.evaluate(f"(c) => [...c.getContext('2d').getImageData({x}, {y}, 1, 1).data].slice(0, 3)")


def rgb(hex):
    return [int(hex[i : i + 2], 16) for i in (1, 3, 5)]


def colour(stops, u):
    """The colour at u in 0..1 between stops."""
    places = np.linspace(0, 1, len(stops))
    return [np.interp(u, places, channel) for channel in np.array([rgb(stop) for stop in stops]).T]


def is_close(a, b, by=3):
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= by


# The large head


@pytest.mark.parametrize("width", [982, 602, 360])
def test_hover_reads_the_exact_weight_of_query_and_key(show, width):
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(30), size=(2, 3, 20)).astype(np.float32)  # not square: a transposition shows
    tokens = pieces(" ".join(f"w{i}" for i in range(30)))
    page = show(grid=attention_grid_payload(weights, tokens, focus=(1, 2), causal=False), width=width)
    matrix, _ = canvas(page, "matrix")
    for q, s in [(0, 0), (19, 29), (3, 27), (18, 2), (7, 17)]:
        matrix.hover(position=cell(page, q, s))
        assert readout(page) == f"L1·H2: “w{q + 10}” ({q + 10}) → “w{s}” ({s}): weight {weights[1, 2, q, s]:.4f}"
    assert page.evaluate("hovers").count(13) >= 1


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("scale", [1, 2])
def test_cells_have_the_colour_of_their_weight_and_masked_ones_none(show, dark, scale):
    weights, _, payload = grid_payload(40)
    page = show(grid=payload, dark=dark, scale=scale)
    page.mouse.move(0, 0)
    assert page.locator("#grid .g1v").get_attribute("data-theme") == ("dark" if dark else "light")
    for q, s in [(0, 0), (5, 2), (39, 0), (39, 39), (20, 11)]:
        expected = colour(palette.VIOLET[dark], np.sqrt(weights[1, 2, q, s]))
        assert is_close(pixel(page, "matrix", cell(page, q, s), scale), expected)
        for layer, head in [(0, 3), (2, 1)]:
            expected = colour(palette.VIOLET[dark], np.round(np.sqrt(weights[layer, head, q, s]) * 63) / 63)
            assert is_close(pixel(page, "tiles", tile(page, layer, head, q, s), scale), expected)
    for q, s in [(0, 1), (3, 30), (38, 39)]:
        low, high = (palette.PAPER[dark], palette.HATCH[dark])
        for channel, a, b in zip(pixel(page, "matrix", cell(page, q, s), scale), rgb(low), rgb(high), strict=True):
            assert min(a, b) - 1 <= channel <= max(a, b) + 1


def test_ink_and_roles_ring_what_is_hovered(show):
    _, _, payload = grid_payload(40)
    page = show(grid=payload)
    matrix, g = canvas(page, "matrix")
    matrix.hover(position=cell(page, 20, 11))
    at = cell(page, 20, 11)
    assert pixel(page, "matrix", {"x": g["left"] + 30 * g["cell"] + 5, "y": at["y"] + g["cell"] / 2}) == rgb(
        palette.QUERY[0]
    )
    assert pixel(page, "matrix", {"x": at["x"] + g["cell"] / 2, "y": g["top"] + 3 * g["cell"] + 5}) == rgb(
        palette.KEY[0]
    )
    assert pixel(page, "matrix", {"x": at["x"] + g["cell"] / 2, "y": at["y"]}) == rgb(palette.INK[0])


def test_stages_show_the_scores_and_the_mask(show):
    _, scores, payload = grid_payload()
    page = show(grid=payload)
    matrix, _ = canvas(page, "matrix")
    assert page.locator("#grid button[data-stage]").all_inner_texts() == ["q·k", "÷√D", "mask", "softmax"]

    def said(stage, q, s):
        page.click(f"#grid button[data-stage={stage}]")
        matrix.hover(position=cell(page, q, s))
        return readout(page).rsplit(": ", 1)[1]

    def signed(x):
        return f"{x:+.4f}".replace("-", "−")

    for q, s in [(12, 3), (3, 12)]:
        assert said("raw", q, s) == f"q·k {signed(scores[1, 2, q, s] * 8)}"
        assert said("scaled", q, s) == f"score {signed(scores[1, 2, q, s])}"
    assert said("masked", 12, 3) == f"score {signed(scores[1, 2, 12, 3])}"
    assert said("masked", 3, 12) == "masked, −1e9"
    assert said("weights", 3, 12) == "masked, weight 0"
    page.click("#grid button[data-stage=scaled]")
    page.mouse.move(0, 0)
    limit = 5 if np.abs(scores[1, 2]).max() > 2 else 2
    x = scores[1, 2, 3, 12]
    corner = cell(page, 3, 12)
    corner = {"x": corner["x"] - 9, "y": corner["y"] - 9}  # beside the printed number
    assert is_close(pixel(page, "matrix", corner), colour(palette.signed(False), (x / limit + 1) / 2))


def test_stages_that_were_not_recorded_are_not_offered(show):
    _, _, payload = grid_payload(scores=None, raw_scores=None)
    page = show(grid=payload)
    assert page.locator("#grid button[data-stage]").count() == 0


@pytest.mark.parametrize("n", [1, 129, 512])
def test_one_token_and_the_longest_context(show, n):
    weights, _, payload = grid_payload(n)
    page = show(grid=payload)
    matrix, g = canvas(page, "matrix")
    assert (g["m"], g["n"], g["q0"]) == (min(n, 128), min(n, 128), max(0, n - 128))
    for q, s in [(n - 1, n - 1), (n - 1, max(0, n - 128))]:
        matrix.hover(position=cell(page, q, s))
        value = f"{weights[1, 2, q, s]:.4f}" if n > 1 else "1"
        assert readout(page) == f"L1·H2: “w{q}” ({q}) → “w{s}” ({s}): weight {value}"
    caption = page.locator("#grid").inner_text()
    assert ("The large head shows tokens" in caption) == (n > 128)
    assert ("The first token sees only itself: weight 1." in caption) == (n == 1)


def test_window_moves_by_page_keys(show):
    _, _, payload = grid_payload(512)
    page = show(grid=payload)
    canvas(page, "matrix")[0].press("PageUp")
    assert page.evaluate("picks.at(-1).window") == 256


# Tiles


def test_hover_over_a_pooled_tile_names_the_range_and_the_largest_weight(show):
    weights, _, payload = grid_payload(128)
    page = show(grid=payload, width=360)
    tiles, g = canvas(page, "tiles")
    k = 2 * g["pool"]
    for i, j in [(g["m"] - 1, 1), (5, 5), (7, 0)]:
        tiles.hover(position=tile(page, 2, 3, i, j))
        largest = weights[2, 3, i * k : (i + 1) * k, j * k : (j + 1) * k].max()
        rounded = (round(float(np.sqrt(largest)) * 63) / 63) ** 2
        ends = [i * k, i * k + k - 1, j * k, j * k + k - 1]
        words = "“w{0} … w{1}” ({0} … {1}) → “w{2} … w{3}” ({2} … {3})".format(*ends)
        assert readout(page) == f"L2·H3: {words}: weight {rounded:.2f} (rounded), the largest of {k}×{k}"
    assert f"the largest of {k}×{k} weights" in page.locator("#grid").inner_text()


def test_hover_over_a_tile_previews_its_head(show):
    weights, _, payload = grid_payload()
    page = show(grid=payload)
    tiles, _ = canvas(page, "tiles")
    tiles.hover(position=tile(page, 2, 0, 9, 4))
    rounded = (round(float(np.sqrt(weights[2, 0, 9, 4])) * 63) / 63) ** 2
    assert readout(page) == f"L2·H0: “in” (9) → “to” (4): weight {rounded:.2f} (rounded)"
    assert page.locator("#grid strong").inner_text() == "L2·H0"
    page.mouse.move(0, 0)
    assert page.locator("#grid strong").inner_text() == "L1·H2" and page.evaluate("picks") == []


def test_click_picks_a_head_and_the_answer_is_drawn(show, tmp_path):
    weights, _, payload = grid_payload()
    page = show(grid=payload)
    tiles, _ = canvas(page, "tiles")
    tiles.click(position=tile(page, 2, 3, 1, 1))
    page.wait_for_function("picks.length === 1")
    assert page.evaluate("picks") == [{"layer": 2, "head": 3, "click": 1}]
    send(page, "grid", attention_grid_payload(weights, pieces(SENTENCE), focus=(2, 3)), tmp_path)
    page.wait_for_function(
        "document.querySelector('#grid [data-stage]') && !document.querySelector('#grid button[data-stage]')"
    )
    canvas(page, "matrix")[0].hover(position=cell(page, 9, 4))
    assert readout(page) == f"L2·H3: “in” (9) → “to” (4): weight {weights[2, 3, 9, 4]:.4f}"


def test_click_locks_a_cell_and_escape_unlocks_it(show):
    _, _, payload = grid_payload()
    page = show(grid=payload)
    matrix, _ = canvas(page, "matrix")
    matrix.click(position=cell(page, 9, 4))
    matrix.press("Escape")
    matrix.click(position=cell(page, 9, 4))
    matrix.click(position=cell(page, 9, 4))
    where = {"layer": 1, "head": 2}
    locked, unlocked = {"query": 9, "key": 4}, {"query": None, "key": None}
    picks = [{**where, **cell, "click": n + 1} for n, cell in enumerate([locked, unlocked, locked, unlocked])]
    assert page.evaluate("picks") == picks


# Keyboard, screen readers


def test_keys_move_lock_change_stage_and_never_trap_tab(show):
    weights, scores, payload = grid_payload(cell=(9, 4))
    page = show(grid=payload)
    matrix, _ = canvas(page, "matrix")
    assert readout(page).endswith(f"weight {weights[1, 2, 9, 4]:.4f}")
    matrix.focus()
    for key in ("ArrowDown", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert readout(page) == f"L1·H2: “side” (10) → “bit” (2): weight {weights[1, 2, 10, 2]:.4f}"
    page.keyboard.press("Enter")
    assert page.evaluate("picks.at(-1)") == {"layer": 1, "head": 2, "query": 10, "key": 2, "click": 1}
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert page.locator("#grid .g1v").get_attribute("data-stage") == "scaled"
    assert readout(page).endswith(f"score {scores[1, 2, 10, 2]:+.4f}".replace("-", "−"))
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.keyboard.press("]")
    assert page.locator("#grid .g1v").get_attribute("data-stage") == "weights"
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function("picks.length === 2")
    assert page.evaluate("picks.at(-1)") == {"layer": 2, "head": 3, "click": 2}
    page.keyboard.press("?")
    assert page.get_by_text("Shift+arrows: change the head").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "after"


def test_a_table_tells_the_row_and_everything_has_a_name(show):
    weights, _, payload = grid_payload(cell=(9, 4))
    page = show(grid=payload)
    rows = page.locator("#grid table tr").all_text_contents()
    assert page.locator("#grid table caption").text_content() == "L1·H2: where “in” looks"
    assert rows[3] == f"bit{weights[1, 2, 9, 2]:.4f}" and rows[18] == "firemasked, weight 0" and len(rows) == 1 + N
    for name in ("tiles", "matrix"):
        assert len(canvas(page, name)[0].get_attribute("aria-label")) > 20
    assert page.locator("#grid [aria-live=polite]").count() == 1


# The strip


def strip_payload(**options):
    weights, _ = attention(1, 1, N)
    values = np.linspace(0, 14, N, dtype=np.float32)
    values[0] = np.nan
    options = {"kind": "surprisal", "focus": 5, "attention": weights[0, 0], **options}
    return (
        weights[0, 0],
        options.get("values", values),
        token_strip_payload(pieces(SENTENCE), options.pop("values", values), **options),
    )


def fill(page, i):
    text = page.locator(f"#strip [data-i='{i}']").evaluate("(c) => getComputedStyle(c).backgroundColor")
    return [int(x) for x in text.removeprefix("rgb(").removesuffix(")").split(",")]


@pytest.mark.parametrize("dark", [False, True])
def test_chips_have_text_fill_and_hover_words(show, dark):
    _, values, payload = strip_payload(attention=None)
    page = show(strip=payload, dark=dark)
    words = "the rab bit said to a fox , come in side ↵ and sit by this ? fire"
    assert page.locator("#strip [role=option]").all_inner_texts() == words.split(" ")
    for i in (1, 8, 16):
        assert is_close(fill(page, i), colour(palette.AMBER[dark], values[i] / 15))
    assert fill(page, 0) == rgb(palette.PAPER[dark])
    page.hover("#strip [data-i='2']")
    assert (
        readout(page, "strip")
        == f"“bit” · position 2 · entry bit</w> · id 2 · characters 7–9 · surprisal {values[2]:.1f} bits"
    )
    page.hover("#strip [data-i='0']")
    assert readout(page, "strip").endswith("no value: nothing comes before it")
    assert [b.bounding_box()["height"] for b in page.locator("#strip [role=option]").all()] == [24] * N


def test_hovering_a_token_shows_where_it_looks_and_leaving_ends_it(show):
    weights, values, payload = strip_payload()
    page = show(strip=payload)
    page.hover("#strip [data-i='12']")
    for i in (0, 3, 12):
        assert is_close(fill(page, i), colour(palette.VIOLET[0], np.sqrt(weights[12, i])))
    assert "g1v-masked" in page.locator("#strip [data-i='13']").get_attribute("class")
    page.mouse.move(400, 700)
    assert is_close(fill(page, 3), colour(palette.AMBER[0], values[3] / 15))
    assert page.locator("#strip .g1v-masked").count() == 0


def test_strip_numbers(show):
    values = np.array([np.nan, 1, 0.99999, 0.234, 0.0042, 0.000043, 1e-7, 0] + [0.5] * (N - 8), np.float32)
    page = show(strip=strip_payload(values=values, kind="probability", attention=None)[2])
    said = []
    for i in range(1, 8):
        page.hover(f"#strip [data-i='{i}']")
        said.append(readout(page, "strip").split("probability ")[1])
    assert said == ["100%", ">99.9%", "23.4%", "0.42%", "0.0043%", "<0.001%", "0%"]


def test_strip_keys_and_clicks_set_the_focus(show):
    page = show(strip=strip_payload()[2])
    page.click("#strip [data-i='3']")
    assert page.evaluate("picks") == [{"focus": 3, "click": 1}]
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("picks.at(-1)") == {"focus": 5, "click": 2}
    assert page.locator("#strip [aria-selected=true]").get_attribute("data-i") == "5"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "after"


def test_markup_in_a_token_stays_text(show):
    tokens = pieces("<img/src=x|onerror=alert(1)> <script>alert(2)</script>")
    page = show(
        strip=token_strip_payload(tokens, np.ones(3), kind="rank"),
        grid=attention_grid_payload(np.ones((1, 1, 3, 3)) / 3, tokens, focus=(0, 0), causal=False),
    )
    page.hover("#strip [data-i='0']")
    canvas(page, "matrix")[0].hover(position=cell(page, 2, 0))
    assert page.locator("img, .g1v script").count() == 0
    assert "“<script>alert(2)</script>” (2) → “<img/src=x” (0)" in readout(page)


def test_strip_says_what_was_cut_in_chinese(show):
    page = show(strip=strip_payload(n_typed=600, lang="zh")[2])
    assert f"共 600 个 token，只显示前 {N} 个：这个模型最多读这么多。" in page.locator("#strip").inner_text()


# Both views


def test_views_of_one_text_follow_each_others_pointer(show):
    _, _, payload = grid_payload()
    page = show(grid=payload, strip=strip_payload()[2])
    canvas(page, "matrix")[0].hover(position=cell(page, 9, 4))
    assert page.locator("#strip .g1v-hovered").get_attribute("data-i") == "9"
    page.hover("#strip [data-i='12']")
    _, g = canvas(page, "matrix")
    y = cell(page, 12, 0)["y"] + g["cell"] / 2
    assert pixel(page, "matrix", {"x": g["left"] + 5 * g["cell"] + 5, "y": y}) == rgb(palette.QUERY[0])


def test_views_follow_a_change_of_theme(show):
    _, _, payload = grid_payload(40)
    page = show(grid=payload, strip=strip_payload()[2])
    page.evaluate(f"document.body.style.setProperty('--jp-layout-color0', '{palette.PAPER[1]}')")
    page.wait_for_selector("#grid [data-theme=dark]")
    page.wait_for_selector("#strip [data-theme=dark]")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert pixel(page, "matrix", cell(page, 0, 0)) == rgb(palette.VIOLET[1][-1])


@pytest.mark.parametrize("width", [982, 602, 360])
@pytest.mark.parametrize("heads", [(6, 6), (12, 12)])
def test_nothing_runs_over_the_edge(show, width, heads):
    weights, _ = attention(*heads, 60)
    tokens = pieces(" ".join(["unbelievably-long-token-of-a-kind"] * 60))
    page = show(
        grid=attention_grid_payload(weights, tokens, focus=(0, 0), scores=weights[0, 0], raw_scores=weights[0, 0]),
        strip=token_strip_payload(tokens, np.ones(60), kind="entropy"),
        width=width,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    right = max(c.bounding_box()["x"] + c.bounding_box()["width"] for c in page.locator("canvas").all())
    assert right <= width


def test_streamlit_shim_mounts_once_and_cleans_up(show, tmp_path):
    _, _, payload = grid_payload()
    page = show(grid=payload)
    (tmp_path / "shim.js").write_text(source("attention_grid", "streamlit"), encoding="utf-8")
    page.evaluate("""async () => {
      const render = (await import("./shim.js")).default;
      const place = document.body.appendChild(document.createElement("section"));
      window.root = place.attachShadow({ mode: "open" });
      window.sent = [];
      const data = new Uint8Array((await load("grid")).buffer);
      const call = () => render({ data, parentElement: root, setTriggerValue: (...what) => sent.push(what) });
      call();
      window.cleanUp = call();
    }""")
    page.wait_for_function("root.querySelector('.g1v') && root.querySelector('.g1v').dataset.head === '1,2'")
    assert page.evaluate("root.querySelectorAll('.g1v').length") == 1
    page.locator("section canvas").first.click(position=tile(page, 0, 1))
    page.wait_for_function("sent.length === 1")
    assert page.evaluate("sent") == [["pick", {"layer": 0, "head": 1}]]
    page.evaluate("cleanUp()")
    assert page.evaluate("root.childNodes.length") == 0
