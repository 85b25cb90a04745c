"""Drives the app without a browser, through Streamlit's AppTest."""

import json
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest
from tables import Rows
from view_data import unpack

from gpt1viz.text import t

APP = Path(__file__).parents[1] / "app" / "main.py"
PAGES = ("tour", "tokens", "attention", "next_token")
SENTENCE = "the fox and the rabbit went into the"


def opened(page="attention", **query) -> AppTest:
    """The app as it opens on a link."""
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params.update(query)
    return app.switch_page(f"views/{page}.py").run()


def turned(app: AppTest, page: str) -> AppTest:
    """To another page, as the browser does it: the widgets of the old page are gone."""
    app.main.children.clear()
    return app.switch_page(f"views/{page}.py").run()


def typed(app: AppTest, text: str) -> AppTest:
    return app.text_input(key="text").set_value(text).run()


def press(app: AppTest, name: str) -> AppTest:
    """The button that the English app calls so."""
    label = t(f"app.{name}", app.session_state.lang)
    next(button for button in app.button if button.label == label).click()
    return app.run()


def well(app: AppTest) -> bool:
    """Nothing failed."""
    return not app.exception and not app.error


def sent(app: AppTest, name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """What a canvas view was given: "grid", "strip" or "written"."""
    return unpack(next(e.proto.bytes for e in app.get("bidi_component") if e.proto.id.endswith(f"-{name}")))


def html(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def said(app: AppTest) -> str:
    """All the app's sentences."""
    kinds = (app.caption, app.markdown, app.warning, app.info, app.error)
    return "\n".join(element.value for kind in kinds for element in kind)


def linked(app: AppTest) -> dict:
    found = next(e.proto for e in app.get("bidi_component") if e.proto.id.endswith("-link"))
    return json.loads(found.json)["link"]


def tables(app: AppTest) -> list[list[list[str]]]:
    return [table for element in app.get("html") for table in Rows(element.proto.body).tables]


def distribution_table(app: AppTest) -> list[list[str]]:
    """The rows of the first distribution on the page, its header left out."""
    return next(table[1:] for table in tables(app) if table[0][-1] == t("app.col_slice", app.session_state.lang))
