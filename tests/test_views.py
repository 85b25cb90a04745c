"""What goes into the views' payloads, and what their sources are made of."""

from dataclasses import replace

import numpy as np
import pytest
from view_data import attention, pieces, unpack

from gpt1viz import palette
from gpt1viz.text import LANGUAGES, strings
from gpt1viz.views import attention_grid_payload, shown_window, source, token_strip_payload
from gpt1viz.views.payload import KINDS

SENTENCE = "the rab|bit said to the fox"


def grid(weights, **options):
    options = {"focus": (0, 0), **options}
    return unpack(attention_grid_payload(weights, pieces(" ".join(["a"] * weights.shape[3])), **options))


def test_the_head_in_focus_and_its_scores_come_back_bit_for_bit():
    weights, scores = attention(2, 3, 7)
    header, arrays = grid(weights, focus=(1, 2), cell=(5, 3), scores=scores[1, 2], raw_scores=scores[0, 1])
    assert np.array_equal(arrays["weights"], weights[1, 2])
    assert np.array_equal(arrays["scaled"], scores[1, 2])
    assert np.array_equal(arrays["raw"], scores[0, 1])
    assert header["focus"] == [1, 2] and header["cell"] == [5, 3] and header["k"] == 1
    assert "scaled" not in grid(weights)[1]


def test_scores_that_are_the_products_times_a_number_travel_as_that_number():
    _, scores = attention(1, 1, 40)
    raw = scores[0, 0] * np.float32(5)
    scaled = raw * np.float32(32**-0.5)
    header, arrays = grid(attention(1, 1, 40)[0], scores=scaled, raw_scores=raw)
    assert "scaled" not in arrays and np.array_equal(arrays["raw"], raw)
    assert np.allclose((raw * header["factor"]).astype(np.float32), scaled, rtol=3e-7, atol=0)
    assert grid(np.ones((1, 1, 1, 1)), scores=np.zeros((1, 1)), raw_scores=np.zeros((1, 1)))[0]["factor"] == 1


def test_tiles_are_in_place_and_rounded_by_half_a_level_at_most():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(30), size=(2, 3, 20)).astype(np.float32)  # 20 queries of 30 keys: no symmetry
    header, arrays = grid(weights, focus=(1, 0))
    assert arrays["tiles"].shape == (2, 3, 20, 30) and arrays["tiles"].dtype == np.uint8
    roots = arrays["tiles"] / (header["levels"] - 1)
    assert np.abs(roots - np.sqrt(weights)).max() <= 0.5 / (header["levels"] - 1) + 1e-6
    assert np.array_equal(arrays["weights"], weights[1, 0])
    assert (header["T"], header["S"], header["shift"]) == (20, 30, 10)
    assert header["rows"] == [0, 20] and header["cols"] == [0, 30]


@pytest.mark.parametrize(("n", "k"), [(64, 1), (65, 2), (128, 2), (130, 3), (512, 8)])
def test_tiles_hold_the_largest_of_k_by_k(n, k):
    weights, _ = attention(1, 2, n)
    header, arrays = grid(weights)
    cells = -(-n // k)
    expected = np.empty((1, 2, cells, cells))
    for i in range(cells):
        for j in range(cells):
            expected[:, :, i, j] = weights[:, :, i * k : (i + 1) * k, j * k : (j + 1) * k].max((2, 3))
    assert header["k"] == k and cells <= 64
    assert np.array_equal(arrays["tiles"], np.rint(np.sqrt(expected) * (header["levels"] - 1)))


def test_a_full_grid_of_128_tokens_fits_into_300_000_bytes():
    weights, scores = attention(12, 12, 128)
    raw = scores[3, 4] * np.float32(8)
    options = {"focus": (3, 4), "raw_scores": raw, "scores": raw * np.float32(0.125)}
    payload = attention_grid_payload(weights, pieces(" ".join(["rabbit"] * 128)), **options)
    assert len(payload) <= 300_000
    assert np.array_equal(unpack(payload)[1]["weights"], weights[3, 4])


def test_the_largest_context_stays_bounded_and_shows_a_window():
    weights, scores = attention(2, 2, 512)
    header, arrays = grid(weights, focus=(1, 0), cell=(200, 190), scores=scores[1, 0])
    assert header["rows"] == header["cols"] == [136, 264]
    assert np.array_equal(arrays["weights"], weights[1, 0, 136:264, 136:264])
    assert np.array_equal(arrays["scaled"], scores[1, 0, 136:264, 136:264])
    assert grid(weights)[0]["cols"] == [384, 512]
    assert grid(weights, window=-30)[0]["cols"] == [0, 128]
    assert grid(weights, window=500)[0]["cols"] == [384, 512]


def test_window_bounds():
    assert shown_window(5, 4) == slice(0, 5)
    assert shown_window(128, 100) == slice(0, 128)
    assert shown_window(300, 0) == slice(0, 128)
    assert shown_window(300, 150) == slice(86, 214)
    assert shown_window(300, 150, 20) == slice(20, 148)


def test_one_token():
    header, arrays = grid(np.ones((6, 6, 1, 1), np.float32), focus=(5, 5))
    assert arrays["tiles"].tolist() == np.full((6, 6, 1, 1), header["levels"] - 1).tolist()
    assert arrays["weights"].tolist() == [[1.0]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"focus": (2, 0)},
        {"focus": (0, -1)},
        {"cell": (7, 0)},
        {"scores": np.zeros((3, 3))},
        {"tokens": pieces("too few")},
    ],
)
def test_what_does_not_fit_is_refused(wrong):
    weights, _ = attention(2, 3, 7)
    options = {"tokens": pieces("a b c d e f g"), "focus": (0, 0), **wrong}
    with pytest.raises(ValueError):
        attention_grid_payload(weights, options.pop("tokens"), **options)


def test_labels_make_the_invisible_visible_and_leave_markup_alone():
    tokens = pieces("<script>alert(1)</script> ¶ x x x x")
    tokens[2] = replace(tokens[2], text="\u200b\u0301")
    tokens[3] = replace(tokens[3], text="a b\u3000")
    tokens[4] = replace(tokens[4], entry="_delimiter_", text="_delimiter_")
    header, _ = unpack(attention_grid_payload(np.ones((1, 1, 6, 6)), tokens, focus=(0, 0)))
    assert header["labels"] == ["<script>alert(1)</script>", "↵", "U+200B\u0301", "a·bU+3000", "¦delim", "x"]


def test_strip_comes_back_with_values_and_tokens():
    values = np.array([np.nan, 0.5, 1, 0.25, 0.125, 0, 1], np.float32)
    header, arrays = unpack(token_strip_payload(pieces(SENTENCE), values, kind="probability", focus=4, n_typed=9))
    assert np.array_equal(arrays["values"], values, equal_nan=True)
    assert header["focus"] == 4 and header["n_typed"] == 9
    assert [chip["label"] for chip in header["tokens"]] == ["the", "rab", "bit", "said", "to", "the", "fox"]
    assert [chip["word_end"] for chip in header["tokens"]] == [True, False, True, True, True, True, True]
    bit = header["tokens"][2]
    assert (bit["entry"], bit["start"], bit["end"]) == ("bit</w>", 7, 10)


def test_strip_attention_is_exact_to_four_digits():
    weights, _ = attention(1, 1, 7)
    _, arrays = unpack(token_strip_payload(pieces(SENTENCE), np.ones(7), kind="attention", attention=weights[0, 0]))
    assert np.abs((arrays["attention"] / 65535.0) ** 2 - weights[0, 0]).max() < 2e-5


def test_rank_zero_is_no_rank():
    _, arrays = unpack(token_strip_payload(pieces("the fox"), np.array([0, 3]), kind="rank"))
    assert np.isnan(arrays["values"][0]) and arrays["values"][1] == 3


def test_strip_refuses_what_does_not_fit():
    with pytest.raises(ValueError):
        token_strip_payload(pieces("the fox"), np.ones(2), kind="loudness")
    with pytest.raises(ValueError):
        token_strip_payload(pieces("the fox"), np.ones(3), kind="entropy")
    with pytest.raises(ValueError):
        token_strip_payload(pieces("the fox"), np.ones(2), kind="entropy", attention=np.ones((2, 3)))


def test_views_of_one_text_share_a_link_and_others_do_not():
    one = unpack(attention_grid_payload(np.ones((1, 1, 2, 2)), pieces("the fox"), focus=(0, 0)))[0]["link"]
    same = unpack(token_strip_payload(pieces("the fox"), np.ones(2), kind="rank"))[0]["link"]
    other = unpack(token_strip_payload(pieces("the dog"), np.ones(2), kind="rank"))[0]["link"]
    assert one == same != other


@pytest.mark.parametrize("lang", LANGUAGES)
def test_words_travel_in_the_chosen_language(lang):
    header, _ = unpack(token_strip_payload(pieces("the fox"), np.ones(2), kind="rank", lang=lang))
    assert header["lang"] == lang
    assert header["strings"]["cut"] == strings("views", lang)["strip_cut"]


def test_every_string_that_the_sources_ask_for_exists_and_none_is_left_over():
    stages = ("raw", "scaled", "masked", "weights")
    built = {
        "grid_": [f"{word}_{stage}" for word in ("stage", "value") for stage in stages],
        "strip_": [f"{word}_{kind}" for word in ("kind", "legend", "value") for kind in KINDS],
    }
    built["grid_"] += [f"legend_{stage}" for stage in stages if stage != "masked"]
    for name, prefix in (("attention_grid", "grid_"), ("token_strip", "strip_")):
        code = source(name, "anywidget")
        for key in strings("views", "en"):
            short = key.removeprefix(prefix)
            if key.startswith(prefix) and short not in built[prefix]:
                assert f'"{short}"' in code or f".{short}" in code, f"{key} is said nowhere"
        assert all(prefix + key in strings("views", "en") for key in built[prefix])


@pytest.mark.parametrize("name", ["attention_grid", "token_strip"])
@pytest.mark.parametrize("host", ["streamlit", "anywidget"])
def test_source_is_one_module_with_the_one_palette(name, host):
    code = source(name, host)
    assert code.count("export default") == 1 and "\n" in code
    assert palette.QUERY[1] in code and "__PALETTE__" not in code
    for banned in ("innerHTML", "http://", "https://", "fetch(", "import "):
        assert banned not in code
    with pytest.raises(ValueError):
        source(name, "elsewhere")
