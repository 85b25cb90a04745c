"""Writing on, token by token: the KV cache, and a stream of Steps that show the draw."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .config import GPT1Config
from .errors import GPT1VizError
from .linear import last_position
from .model import GPT1
from .sampling import Distribution, Sampling, distribution
from .trace import NO_EDITS, Edits

if TYPE_CHECKING:
    from .tokenizer import Tokenizer


class Cache:
    """Keys and values of the positions read so far, one buffer of n_ctx positions a layer.

    With it a new token costs one position instead of all of them.
    """

    def __init__(self, config: GPT1Config, batch: int = 1, like: Tensor | None = None):
        like = torch.empty(0) if like is None else like
        shape = (2, config.n_layer, batch, config.n_head, config.n_ctx, config.d_head)
        self.buffer = like.new_empty(shape)  # (2, L, B, H, n_ctx, D)
        self.length = 0

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append this pass's k, v (B, H, T, D) and return all so far, (B, H, S, D)."""
        end = self.length + k.shape[2]
        self.buffer[0, layer, :, :, self.length : end] = k
        self.buffer[1, layer, :, :, self.length : end] = v
        return self.buffer[0, layer, :, :, :end], self.buffer[1, layer, :, :, :end]


@dataclass(frozen=True)
class Step:
    """One token written.

    Attributes:
        id: the token chosen.
        ids: all tokens so far, this one included.
        window_start: index in `ids` of the first token the model read; above 0 once the window has slid.
        logits: (V,) that the choice was made from, float32 on the CPU.
        sampling: how the choice was made.
        u: the uniform draw; None when greedy.
        tokenizer: the model's own.
    """

    id: int
    ids: tuple[int, ...]
    window_start: int
    logits: Tensor
    sampling: Sampling
    u: float | None
    tokenizer: "Tokenizer" = field(repr=False)

    @property
    def text(self) -> str:
        """All tokens so far as readable text, the prompt among them.

        What a token adds cannot simply be appended: `known` turns the `well -` before it into `well-known`.
        """
        return self.tokenizer.decode(self.ids)

    def distribution(self, sampling: Sampling | None = None) -> Distribution:
        """The distribution at this step, before and after each filter; computed when asked for."""
        return distribution(self.logits, sampling or self.sampling)


def generate(
    model: GPT1,
    tokenizer: "Tokenizer",
    text: str | Sequence[int],
    n_tokens: int = 40,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
    seed: int | None = None,
    stop: Iterable[int | str] = (),
    edits: Edits | None = None,
) -> Iterator[Step]:
    r"""Write on from `text`, yielding a Step a token.

    When the text has grown to n_ctx tokens the oldest quarter is dropped and the rest read again, because GPT-1's
    positions are absolute; `Step.window_start` says so.

    Args:
        model: on any device; put into eval mode by `load`.
        tokenizer: the model's own.
        text: what to go on from, as text or as token ids.
        n_tokens: at most this many.
        temperature, top_k, top_p, greedy: see Sampling.
        seed: same seed, same text; None draws a new one.
        stop: tokens after which to stop, as ids or as vocabulary entries ("\\n" is the newline token).
        edits: heads switched off or scaled, or the mask lifted, at every step.

    Raises:
        GPT1VizError: nothing to go on from, a setting out of range, a stop token that is not in the vocabulary, edits
            that replace matrices or vectors or name a head that is not there.
    """
    sampling = Sampling(temperature, top_k, top_p, greedy)
    ids = tokenizer.encode(text) if isinstance(text, str) else list(text)
    if not ids:
        raise GPT1VizError("no_tokens")
    stops = {_row(tokenizer, token) for token in stop}
    (edits or NO_EDITS).check(model.config, n_past=1, n_new=1)
    return _steps(model, tokenizer, ids, n_tokens, sampling, seed, stops, edits)


@torch.inference_mode()
def _steps(model, tokenizer, ids, n_tokens, sampling, seed, stops, edits) -> Iterator[Step]:
    n_ctx = model.config.n_ctx
    draws = torch.Generator()
    draws.seed() if seed is None else draws.manual_seed(seed)
    start = max(0, len(ids) - n_ctx)
    cache = Cache(model.config, like=model.tokens_embed.weight)
    for _ in range(n_tokens):
        if len(ids) - start > n_ctx:
            start, cache.length = len(ids) - (n_ctx - n_ctx // 4), 0
        unread = torch.tensor([ids[start + cache.length :]], device=model.device)
        logits = model(unread, cache=cache, edits=edits, head=last_position).logits[0, -1].float().cpu()
        logits = logits[: model.config.n_vocab]  # the special rows are no text
        token, u = _choose(logits, sampling, draws)
        ids = [*ids, token]
        yield Step(token, tuple(ids), start, logits, sampling, u, tokenizer)
        if token in stops:
            return


def _choose(logits: Tensor, sampling: Sampling, draws: torch.Generator) -> tuple[int, float | None]:
    if sampling.greedy:
        return int(logits.argmax()), None
    u = float(torch.rand((), generator=draws, dtype=torch.float64))
    options = distribution(logits, sampling)
    return int(options.ids[options.pick(u)]), u


def _row(tokenizer: "Tokenizer", token: int | str) -> int:
    if isinstance(token, int):
        if 0 <= token < tokenizer.n_vocab:
            return token
        raise GPT1VizError("no_such_token", token=token)
    for entry in (token, f"{token}</w>"):
        if entry in tokenizer.vocab:
            return tokenizer.vocab[entry]
    raise GPT1VizError("no_such_token", token=token)
