"""The app: page set-up, sidebar, navigation. Start it with `streamlit run app/main.py`."""

from pathlib import Path

import state
import streamlit as st

from gpt1viz.text import t

st.set_page_config(page_title="GPT-1", layout="wide", initial_sidebar_state=240)
lang = state.choose_language()
st.set_page_config(page_title=t("app.title", lang))
views = Path(__file__).parent / "views"
page = st.navigation(
    {
        t("app.nav_look", lang): [
            st.Page(views / "attention.py", title=t("app.attention", lang), url_path="attention", default=True),
            st.Page(views / "next_token.py", title=t("app.next_token", lang), url_path="next_token"),
        ]
    }
)
state.choose_model()
page.run()
