"""What the pages Embeddings, Block and Compare compute from a model and a text, kept for a while for all sessions."""

import models
import numpy as np
import streamlit as st

from gpt1viz.analysis import contributions, embeddings
from gpt1viz.analysis.contributions import Contributions, Walk
from gpt1viz.analysis.embeddings import JointMass, Near
from gpt1viz.model import GPT1


def _model(model_id: str, stamp: float) -> GPT1:
    return models.load(model_id, stamp).model


def _ids(model_id: str, stamp: float, text: str) -> np.ndarray:
    return models.explained(model_id, stamp, text).ids


@st.cache_data(max_entries=64, show_spinner=False)
def nearest(model_id: str, stamp: float, id: int, top_k: int, by: str) -> Near:
    """The nearest rows of a vocabulary entry, itself left out."""
    model = _model(model_id, stamp)
    found = embeddings.nearest_tokens(model, model.tokens_embed.weight[id].cpu().numpy(), top_k + 1, by=by)
    others = found.ids != id
    return Near(found.ids[others][:top_k], found.values[others][:top_k])


@st.cache_data(max_entries=8, show_spinner=False)
def similarity(model_id: str, stamp: float) -> np.ndarray:
    """Cosines of all position rows, (n_ctx, n_ctx)."""
    return embeddings.similarity(embeddings.position_rows(_model(model_id, stamp)))


@st.cache_data(max_entries=8, show_spinner=False)
def row_lengths(model_id: str, stamp: float) -> np.ndarray:
    """Lengths of all rows of the joint matrix, (n_rows + n_ctx,)."""
    return np.linalg.norm(embeddings.joint_matrix(_model(model_id, stamp)), axis=1)


@st.cache_data(max_entries=32, show_spinner=False)
def joint_mass(model_id: str, stamp: float, text: str) -> JointMass:
    """Where the probability falls when the whole joint matrix is scored."""
    return embeddings.joint_mass(_model(model_id, stamp), _ids(model_id, stamp, text))


@st.cache_resource(max_entries=6, show_spinner=False)
def walk(model_id: str, stamp: float, text: str, layer: int) -> Walk:
    """What one block computes from a text; shared by all sessions, to be read only."""
    return contributions.walk(_model(model_id, stamp), _ids(model_id, stamp, text), layer)


@st.cache_data(max_entries=32, show_spinner=False)
def lengths(model_id: str, stamp: float, text: str) -> Contributions:
    """How long the stream is in every block, and what is added to it."""
    return contributions.contributions(_model(model_id, stamp), _ids(model_id, stamp, text))
