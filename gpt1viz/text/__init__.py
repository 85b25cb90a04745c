"""Every user-facing string, in English and Simplified Chinese: text/<lang>/<area>.toml and prose/<id>.md."""

import tomllib
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "zh": "简体中文"}
_HERE = Path(__file__).parent


@cache
def strings(area: str, lang: str) -> dict[str, str]:
    """All strings of one area, e.g. "errors", by key."""
    return tomllib.loads((_HERE / lang / f"{area}.toml").read_text(encoding="utf-8"))


def t(key: str, lang: str, /, **params) -> str:
    """The string "area.key" in `lang` ("en" or "zh"), its {names} filled from `params`.

    Raises:
        KeyError: no such language, area or key: a mistake in the program, not of the user.
    """
    area, _, name = key.partition(".")
    if lang not in LANGUAGES:
        raise KeyError(f"no language {lang!r}")
    text = strings(area, lang)[name]
    return text.format(**params) if params else text


@cache
def prose(name: str, lang: str) -> str:
    """The markdown text/<lang>/<name>.md."""
    return (_HERE / lang / f"{name}.md").read_text(encoding="utf-8")
