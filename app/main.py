"""The app: page set-up, sidebar, navigation. Start it with `streamlit run app/main.py`."""

import os
from pathlib import Path

# Torch's second thread shall sleep, not spin, while it waits: on a busy machine a pass takes 20 ms instead of 700 ms.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, when torch is first imported

import components
import state
import streamlit as st

from gpt1viz.text import t

GROUPS = {
    "look": ("tour", "tokens", "attention", "next_token", "inputs"),
    "train": ("train", "finetune", "runs"),
    "test": ("embeddings", "block", "inside", "breakit", "claims", "paper", "cost", "compare"),
}

st.set_page_config(page_title="GPT-1", layout="wide", initial_sidebar_state=240)
lang = state.choose_language()
views = Path(__file__).parent / "views"
pages = {
    name: st.Page(views / f"{name}.py", title=t(f"app.{name}", lang), url_path=name, default=name == GROUPS["look"][0])
    for names in GROUPS.values()
    for name in names
}
groups = {t(f"app.nav_{group}", lang): [pages[n] for n in names] for group, names in GROUPS.items()}
page = st.navigation(groups, expanded=True)  # else Streamlit hides some behind words of its own, in English
state.choose_model()
name = next(name for name in pages if pages[name] == page)
st.set_page_config(page_title=f"{t(f'app.{name}', lang)} · {t('app.title', lang)}")
state.carry(name)
with components.frame(name, lang):
    page.run()
