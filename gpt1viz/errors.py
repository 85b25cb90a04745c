"""Errors meant for the user: a code and parameters, put into words where they are shown."""

from .text import t


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
        params = {name: v.message(lang) if isinstance(v, GPT1VizError) else v for name, v in self.params.items()}
        return t(f"errors.{self.code}", lang, **params)

    def __str__(self) -> str:
        return self.message()

    def __reduce__(self):
        return _rebuild, (self.code, self.params)


def _rebuild(code: str, params: dict) -> GPT1VizError:
    return GPT1VizError(code, **params)
