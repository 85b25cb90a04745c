"""The 117M models with random weights that several parts measure, made once."""

from functools import cache

from gpt1viz.config import GPT1Config
from gpt1viz.model import GPT1


@cache
def ours() -> GPT1:
    return GPT1(GPT1Config()).eval().requires_grad_(False)


@cache
def port():
    """Hugging Face's openai-gpt."""
    from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

    return OpenAIGPTLMHeadModel(OpenAIGPTConfig()).eval().requires_grad_(False)
