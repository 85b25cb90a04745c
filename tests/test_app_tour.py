"""The tour without a browser: every drawing against the pass it shows, the draw, what can be saved."""

import base64
import csv
import importlib.util
import io
import json
import re
import sys
import zlib
from html import unescape

import numpy as np
import pytest
import torch
from app_driver import APP, SENTENCE, html, linked, opened, press, said, turned, typed, well
from plotly.colors import hex_to_rgb

import gpt1viz
from gpt1viz import palette
from gpt1viz.explain import explain
from gpt1viz.figures.numbers import percent, score, weight
from gpt1viz.figures.theme import colour_at
from gpt1viz.sampling import Sampling, distribution
from gpt1viz.text import t


@pytest.fixture(scope="module")
def there():
    model, tokenizer, *_ = gpt1viz.load("storybook")
    return explain(model, tokenizer, SENTENCE, record=("weights", "embed"))


def drawn(app, name: str) -> str:
    """The HTML that a stage was given."""
    found = next(e.proto for e in app.get("bidi_component") if e.proto.id.endswith(f"-stage_{name}"))
    return json.loads(found.json)


def hovers(app, name: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<title>(.*?)</title>", drawn(app, name))]


def saved(app, name: str) -> list[list[str]]:
    """The rows of a drawing's CSV file."""
    make = app.session_state.drawings[name].data
    text = sys.modules["saving"].csv_bytes(make()).decode("utf-8-sig")
    return [*csv.reader(io.StringIO(text))]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_stage_shows_the_pass(lang, there):
    app = opened("tour", lang=lang, text=SENTENCE)
    tokenizer = gpt1viz.load("storybook").tokenizer
    assert well(app) and SENTENCE in drawn(app, "text")
    for piece in there.tokens:
        assert f">{piece.id}<" in drawn(app, "tokens")
    assert "T × C = 8 × 192" in drawn(app, "embed") and "6 × 6 × 8 × 8" in drawn(app, "blocks")
    numbers = {hover.rpartition(": ")[0]: hover.rpartition(": ")[2] for hover in hovers(app, "embed")}
    for dimension in (0, 23):
        assert numbers[f"the · {dimension}"] == score(float(there.field("embed")[-1, dimension]), 3)
    assert len(hovers(app, "blocks")) == 36
    last = there.weights[4, 2, -1]
    token = there.tokens[int(last.argmax())].text
    words = t("tour.block_hover", lang, layer=4, head=2, token=token, weight=weight(float(last.max())))
    assert words in hovers(app, "blocks")
    counts = [int(re.search(r"[\d,]+", hover).group().replace(",", "")) for hover in hovers(app, "logits")]
    assert sum(counts) == len(there.logits) and score(float(there.logits.max())) in drawn(app, "logits")
    for p, id in zip(there.next_probability[-1][:5], there.next_ids[-1][:5], strict=True):
        assert f"{tokenizer.pieces([int(id)])[0].text}: {percent(float(p))}" in hovers(app, "top")
    assert well(app) and not app.warning


def test_writing_shows_the_draw_and_then_reads_it_back(there):
    app = press(opened("tour", text=SENTENCE, seed="5"), "write_one")
    [step] = app.session_state.steps
    wanted = next(iter(gpt1viz.generate(*gpt1viz.load("storybook")[:2], SENTENCE, 1, seed=5)))
    assert well(app) and step.id == wanted.id and step.u == wanted.u and "T = 8" in drawn(app, "tokens")
    assert f"{step.u:.3f}" in said(app) and "<b style=" in html(app)
    press(app, "write_one")
    first, second = app.session_state.steps
    assert well(app) and "T = 9" in drawn(app, "tokens") and f">{first.id}<" in drawn(app, "tokens")
    model = gpt1viz.load("storybook").model
    with torch.inference_mode():
        logits = model(torch.tensor([first.ids])).logits[0, -1]
    options = distribution(logits, Sampling())
    assert second.id == options.ids[options.pick(second.u)]
    np.testing.assert_allclose(second.logits, logits, atol=1e-4)
    press(app, "roll")
    _, other = app.session_state.steps
    assert well(app) and other.u != second.u and other.ids[:-1] == second.ids[:-1] and app.session_state.seed == 6
    assert linked(app)["seed"] == "6"
    press(app, "undo")
    assert app.session_state.steps == [first]
    press(app, "clear")
    assert well(app) and app.session_state.steps == [] and "<b style=" not in html(app)


def test_tokens_written_here_are_there_on_the_next_page():
    app = press(opened("tour", text=SENTENCE), "write_one")
    [step] = app.session_state.steps
    turned(app, "next_token")
    assert well(app) and app.session_state.steps == [step] and step.text in html(app)
    app.toggle(key="greedy").set_value(True).run()
    press(app, "write_one")
    greedy = app.session_state.steps[-1]
    turned(app, "tour")
    token = greedy.tokenizer.pieces([greedy.id])[0].text
    assert well(app) and t("tour.wrote_greedy", "en", token=token, p="100%") in said(app).replace("\\", "")
    typed(app, "the old king")
    assert well(app) and app.session_state.steps == []


def test_markup_stays_text():
    app = opened("tour", text="<b>x</b> & \"'<script>alert(1)</script>")
    for name in ("text", "tokens", "embed", "blocks", "logits", "top"):
        assert "<script>" not in drawn(app, name) and "<b>x" not in drawn(app, name)
    assert "&lt;script&gt;" in drawn(app, "text")


def test_what_can_be_saved_is_what_is_shown(there):
    app = opened("tour", text=SENTENCE)
    assert not app.get("download_button")
    app.session_state.saving = True  # opened
    app.run()
    assert {button.proto.label for button in app.get("download_button")} == {"CSV"}
    header, *rows = saved(app, "tour_embed")
    assert header == ["position", "dimension", "value"] and len(rows) == 8 * 192
    assert float(rows[-1][2]) == pytest.approx(float(there.field("embed")[-1, -1]))
    header, *rows = saved(app, "tour_top")
    assert len(rows) == 4096 and float(rows[0][2]) == pytest.approx(float(there.next_probability[-1][0]), rel=1e-5)
    header, *rows = saved(app, "tour_blocks")
    np.testing.assert_allclose([float(row[3]) for row in rows], there.weights[:, :, -1].ravel(), rtol=1e-6)
    header, *rows = saved(app, "strip")
    assert header == ["position", "token", "id", "probability"] and [int(row[2]) for row in rows] == there.ids.tolist()
    turned(app, "attention")
    header, *rows = saved(app, "grid")
    layer, head = app.session_state.layer, app.session_state.head
    assert header[0] == "query" and float(rows[-1][4]) == pytest.approx(float(there.weights[layer, head, -1, -1]))
    assert "tour_embed" not in app.session_state.drawings


def test_csv_keeps_quotes_commas_and_chinese(monkeypatch):
    monkeypatch.syspath_prepend(str(APP.parent))
    spec = importlib.util.spec_from_file_location("saving_alone", APP.parent / "saving.py")
    saving = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(saving)
    text = saving.csv_bytes({"token": ['"', "a,b", "狐\n狸"], "p": np.array([0.5, np.nan, 1])}).decode("utf-8-sig")
    assert [*csv.reader(io.StringIO(text))] == [["token", "p"], ['"', "0.5"], ["a,b", "nan"], ["狐\n狸", "1.0"]]
    with pytest.raises(ValueError, match="shorter"):
        saving.csv_bytes({"a": [1, 2], "b": [1]})


@pytest.mark.parametrize("n", [3, 40])
def test_a_tile_holds_the_largest_weights(n):
    app = opened("tour", text="the fox " * (n // 2 + n % 2), lang="en")
    model, tokenizer, *_ = gpt1viz.load("storybook")
    there = explain(model, tokenizer, app.session_state.text)
    k = -(-len(there.tokens) // 16)
    addresses = re.findall(r'href="data:image/png;base64,([^"]+)"', drawn(app, "blocks"))
    pixels = pixels_of(base64.b64decode(addresses[6 * 2 + 3]))
    side = -(-len(there.tokens) // k)
    assert pixels.shape == (side, side, 3)
    for i, j in ((0, 0), (side - 1, 0), (side - 1, side // 2), (0, side - 1)):
        most = float(there.weights[2, 3, i * k : (i + 1) * k, j * k : (j + 1) * k].max())
        assert np.abs(pixels[i, j] - np.array(hex_to_rgb(colour_at(palette.VIOLET[0], most**0.5)))).max() <= 3
    assert (f"{k}×{k}" in drawn(app, "blocks")) == (k > 1)


def pixels_of(png: bytes) -> np.ndarray:
    """(height, width, 3) of a PNG file without filters."""
    width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))
    start = png.index(b"IDAT") + 4
    rows = zlib.decompress(png[start : start + int.from_bytes(png[start - 8 : start - 4])])
    return np.frombuffer(rows, np.uint8).reshape(height, 1 + 3 * width)[:, 1:].reshape(height, width, 3).astype(int)
