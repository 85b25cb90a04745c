"""Inside: the model taken apart over one text. A tab menu; only the chosen tab computes."""

import components
import inside_attribution
import inside_edits
import inside_heads
import inside_lens
import inside_patch
import inside_patterns
import state
import streamlit as st

from gpt1viz.text import t

# What shows a tab, the functions whose code it prints, and what names its "Look for".
TABS = {
    "lens": (inside_lens.show, inside_lens.CODE, "inside"),
    "heads": (inside_heads.show, inside_heads.CODE, "inside_heads"),
    "patch": (inside_patch.show, inside_patch.CODE, "causes_patch"),
    "attribution": (inside_attribution.show, inside_attribution.CODE, "causes_attribution"),
    "contrast": (inside_attribution.show_contrast, inside_attribution.CONTRAST_CODE, "causes_contrast"),
    "patterns": (inside_patterns.show, inside_patterns.CODE, "inside_patterns"),
}

lang = st.session_state.lang
study = state.study()
hidden = {"label_visibility": "collapsed"}
tab = state.choice("tab", t("inside.tabs", lang), TABS, lambda name: t(f"inside.tab_{name}", lang), **hidden)
components.token_strip(study.explanation, lang, components.chosen_colour("probability"), study.focus)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    components.colour_by(lang, "probability", components.KINDS[:-1])
    state.index_box("pos", t("app.position", lang), len(study.explanation.tokens))
inside_edits.sidebar(inside_edits.active(study.loaded.model.config, lang), lang)

show, code, look = TABS[tab]
with components.careful(lang):
    show(study, lang)
components.look_for(look, lang)
components.show_code(lang, *code)
