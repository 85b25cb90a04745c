"""Two columns that stand below each other where there is no room for both."""

import streamlit as st

LEAST = 400  # px of a column
STYLE = """<style>
.st-key-{key} > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] {{ flex-wrap: wrap }}
.st-key-{key} > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] > [data-testid=stColumn] {{
  min-width: {least}px }}
</style>"""


def two(key: str) -> list:
    """A left and a right column; `key` is one of its kind on the page."""
    with st.container(key=key):
        st.html(STYLE.format(key=key, least=LEAST))
        return st.columns(2, gap="medium")
