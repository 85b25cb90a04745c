"""GPT1VizError: a code and parameters, in words of either language, across processes."""

import pickle
import re

import pytest

from gpt1viz.config import GPT1Config
from gpt1viz.errors import GPT1VizError


def test_it_speaks_both_languages():
    error = GPT1VizError("too_long", n=600, n_ctx=512)
    assert str(error) == error.message("en") == "600 tokens are too many: this model reads 512."
    assert error.message("zh") == "600 个 token 太多了：这个模型最多读 512 个。"
    assert (error.code, error.params) == ("too_long", {"n": 600, "n_ctx": 512})


def test_it_is_a_value_error():
    with pytest.raises(ValueError, match="n_layer must be a whole number of at least 1, not 0"):
        GPT1Config(n_layer=0)


def test_it_survives_pickling():
    """A training process hands its error to the app."""
    error = pickle.loads(pickle.dumps(GPT1VizError("edit_shape", shape=(6, 6), wanted=(5, 5))))
    assert type(error) is GPT1VizError
    assert error.params == {"shape": (6, 6), "wanted": (5, 5)}
    assert re.search(r"\(6, 6\).*\(5, 5\)", str(error))


def test_what_the_user_typed_is_not_taken_for_a_field():
    assert "{n_ctx}" in str(GPT1VizError("no_such_token", token="{n_ctx}"))
    assert "{0}" in GPT1VizError("no_such_token", token="{0}").message("zh")
