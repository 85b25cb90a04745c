"""The page Cost without a browser: sliders, links, tables, against the arithmetic."""

from html import unescape

import pytest
from app_driver import html, linked, opened, said, tables, turned, well

from gpt1viz.analysis import costs
from gpt1viz.config import PRESETS
from gpt1viz.figures import numbers
from gpt1viz.text import t


def figures(app) -> str:
    return unescape(html(app))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_opens_on_gpt_1_in_2018(lang):
    app = opened("cost", lang=lang)
    assert well(app) and not app.warning
    assert f"116,534,784 ({numbers.short(116_534_784, lang)})" in figures(app)
    flops = 110e9 * costs.flops_a_token(PRESETS["gpt1"])
    seconds = costs.training_seconds(flops, costs.HARDWARE["p6000"], 8, 0.33)
    assert f">{numbers.span(seconds, lang)}<" in figures(app) and 30 < seconds / 86_400 < 30.5
    assert len(app.get("plotly_chart")) == 5
    assert linked(app)["shape"] is None and linked(app)["hardware"] is None
    devices, models = (table for table in tables(app))
    assert [row[0] for row in devices[1:]] == [device.name for device in costs.HARDWARE.values()]
    counted = next(row for row in models if row[0] == t("cost.row_counted", lang))
    assert counted[1:] == ["116,534,784", "124,439,808", "1,557,611,200", "174,604,259,328"]
    assert t("cost.unpublished", lang) in next(row for row in models if row[0] == t("cost.row_tokens", lang))


def test_presets_and_sliders_make_the_shape_and_the_link():
    app = opened("cost")
    for name in ("storybook", "tiny", "gpt2-xl", "gpt3"):
        app.selectbox(key="shape_preset").set_value(name).run()
        config = PRESETS[name] if name in PRESETS else costs.PUBLISHED[name].config
        assert well(app) and f"{config.n_params:,}" in figures(app) and linked(app)["shape"] == name
    assert "Training needs" in said(app)  # GPT-3 on one P6000
    app.selectbox(key="shape_preset").set_value("gpt1").run()
    app.slider(key="shape_layers").set_value(24).run()
    assert app.selectbox(key="shape_preset").value == "own" and linked(app)["shape"] == "24-12-64-512-40478-post"
    assert f"{116_534_784 + 12 * 7_087_872:,}" in figures(app)
    app.slider(key="shape_layers").set_value(12).run()
    assert app.selectbox(key="shape_preset").value == "gpt1" and linked(app)["shape"] is None


def test_a_link_reopens_it():
    query = {"shape": "3-4-32-64-1024-pre", "hardware": "h100", "devices": "2", "utilisation": "40", "half": "true"}
    app = opened("cost", **query, billions="0.5", texts="16")
    assert well(app) and not app.warning
    assert {name: linked(app)[name] for name in query} == query
    config = costs.GPT1Config(n_vocab=1024, n_ctx=64, n_embd=128, n_layer=3, n_head=4, norm="pre")
    seconds = costs.training_seconds(0.5e9 * costs.flops_a_token(config), costs.HARDWARE["h100"], 2, 0.4, half=True)
    memory = sum(costs.training_memory(config, 8, 2).values())
    assert f">{numbers.span(seconds)}<" in figures(app) and f">{numbers.size(memory)}<" in figures(app)
    turned(app, "tokens")
    assert linked(app)["shape"] is None
    turned(app, "cost")
    assert linked(app)["shape"] == query["shape"] and app.slider(key="shape_layers").value == 3


@pytest.mark.parametrize(
    "wrong", ["nonsense", "3-4-33-64-1024-pre", "3-4-32-65-1024-pre", "0-4-32-64-1024-post", "1-2"]
)
def test_a_shape_that_cannot_be_falls_back_aloud(wrong):
    app = opened("cost", shape=wrong, utilisation="0", hardware="abacus")
    assert well(app) and len(app.warning) == 3 and "116,534,784" in figures(app)


def test_what_a_device_lacks_is_said_and_money_only_on_request():
    app = opened("cost", half="true")
    assert "has no fast 16-bit products" in said(app) and "money" not in figures(app)
    app.number_input(key="price").set_value(2.0).run()
    hours = (
        costs.training_seconds(110e9 * costs.flops_a_token(PRESETS["gpt1"]), costs.HARDWARE["p6000"], 1, 0.33) / 3600
    )
    assert f">{numbers.three(2 * hours)}<" in figures(app)
    app.selectbox(key="hardware").set_value("h100").run()
    assert "has no fast 16-bit products" not in said(app)


def test_large_numbers_are_printed_in_three_digits():
    assert [numbers.short(x) for x in (97, 116_534_784, 174_604_259_328)] == ["97", "117M", "175B"]
    assert [numbers.short(x, "zh") for x in (4096, 3_504_768, 116_534_784)] == ["4,096", "350 万", "1.17 亿"]
    assert [numbers.size(x) for x in (512, 466_139_136, 999_999)] == ["512 B", "466 MB", "1.00 MB"]
    assert numbers.operations(752_753_664) == "753 MFLOP" and numbers.operations(3.23e23) == "323 ZFLOP"
    assert [numbers.span(x) for x in (0.00058, 0.9999, 119, 5000)] == ["580 µs", "1.00 s", "119 s", "83.3 min"]
    assert [numbers.span(x, "zh") for x in (2_619_000, 1e9)] == ["30.3 天", "31.7 年"]
