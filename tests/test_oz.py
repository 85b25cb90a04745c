"""The chapters that notebooks count in and measure on."""

from gpt1viz.checkpoints import load
from gpt1viz.data.oz import chapters


def test_six_chapters_that_the_bundled_model_can_read():
    parts = chapters()
    assert [part.partition("\n")[0] for part in parts[:2]] == ["A TERRIBLE LOSS", "THE TROUBLES OF GLINDA THE GOOD"]
    assert len(parts) == 6 and min(map(len, parts)) > 5000 and "CHAPTER" not in "".join(parts)
    tokenizer = load("storybook").tokenizer
    assert 0 not in [id for part in parts for id in tokenizer.encode(part)]
