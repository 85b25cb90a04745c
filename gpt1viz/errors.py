"""Errors meant for the user: a code and parameters, put into words where they are shown."""

from .text import t
from .text.tokens import harmless

LONGEST = 400  # characters of a value in a sentence


class GPT1VizError(ValueError):
    """Something the user can mend. `str()` says it in English, `message(lang)` in the language chosen.

    Args:
        code: key in text/<lang>/errors.toml.
        params: values that the sentence names; another GPT1VizError is named by its own sentence.
    """

    def __init__(self, code: str, **params):
        super().__init__(code, params)
        self.code, self.params = code, params

    def message(self, lang: str = "en") -> str:
        """The sentence that says what is wrong and what to do, in one language."""
        return t(f"errors.{self.code}", lang, **{name: _said(value, lang) for name, value in self.params.items()})

    def __str__(self) -> str:
        return self.message()

    def __reduce__(self):
        return _rebuild, (self.code, self.params)


def _said(value, lang: str):
    """A value as a sentence can hold it: what a file or a person gave may have a million characters, or lines."""
    if isinstance(value, GPT1VizError):
        return value.message(lang)
    text = value if isinstance(value, str) else str(value)
    short = text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    said = harmless(short)
    return value if said == text else said


def _rebuild(code: str, params: dict) -> GPT1VizError:
    return GPT1VizError(code, **params)
