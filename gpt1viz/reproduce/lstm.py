"""The LSTM that the paper holds against the transformer (section 5, table 5 and figure 2), as large as the transformer.

It takes the place of a GPT1 in the same loop, with the same losses, task heads and settings:

    pretrain_lstm("runs/lstm", books="books/")
    start = load_lstm("runs/lstm")                                 # by default the bundled one, made like this
    outcome = finetune(start, task, folder, settings=settings)     # n_transfer=-1: not pre-trained
    tuned = Loaded(outcome.module.model, start.tokenizer, start.info, outcome.module.head)
    evaluate_task(tuned, task, "test").numbers(task)
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import checkpoints, formats
from ..checkpoints import Info, Loaded
from ..config import GPT1Config
from ..errors import GPT1VizError
from ..linear import Linear, linear
from ..model import Output
from ..reading import expanded
from ..training.loop import Callback, Outcome
from ..training.prepare import encode
from ..training.pretrain import PretrainSettings, pretrain

BUNDLED = checkpoints.BUNDLED.with_name("lstm")
FORMAT = "gpt1viz-lstm"  # in config.json; `gpt1viz.load` refuses it by that name


def n_units(config: GPT1Config) -> int:
    """Units of the LSTM that makes the model as large as the transformer of this configuration.

    With H units and C channels the LSTM has 4H(C + H + 2) parameters and the projection HC + C, which together are
    what the transformer's positions and blocks have.
    """
    c = config.n_embd
    wanted = config.n_params - config.n_rows * c - c
    half = (5 * c + 8) / 8  # of 4 H^2 + (5C + 8) H = wanted
    return max(1, round(math.sqrt(half * half + wanted / 4) - half))


class Recurrent(nn.Module):
    """One layer of long short-term memory and a projection back to C channels, where a transformer has its blocks."""

    def __init__(self, config: GPT1Config):
        super().__init__()
        n_hidden = n_units(config)
        self.lstm = nn.LSTM(config.n_embd, n_hidden, batch_first=True)
        self.c_proj = Linear(n_hidden, config.n_embd)
        self.resid_drop = nn.Dropout(config.resid_pdrop)
        own = dict(self.lstm.named_parameters())
        nn.init.normal_(own["weight_ih_l0"], std=config.n_embd**-0.5)
        nn.init.normal_(self.c_proj.weight, std=n_hidden**-0.5)
        for bias in (own["bias_ih_l0"], own["bias_hh_l0"], self.c_proj.bias):
            nn.init.zeros_(bias)
        with torch.no_grad():
            own["bias_ih_l0"][n_hidden : 2 * n_hidden] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C); position t has seen 0 to t."""
        return self.c_proj(self.resid_drop(self.lstm(x)[0]))


class LSTM(nn.Module):
    """A language model of one LSTM layer, with the embeddings, the tied head and the size of a transformer.

        c_t, h_t = LSTM(u_t W_e, h_{t-1}, c_{t-1});   P(u) = softmax((h_t W + b) W_e^T)

    Its configuration is the transformer's; of it n_vocab, n_special, n_embd and the dropout rates apply, and the rest
    says how many parameters that is (see `n_units`). What stands for the blocks is `h[0]`, so that `transferred` and
    `freeze` find it where they look for blocks.

    Embeddings start at N(0, 0.1), matrices so that they keep the size of what they multiply, forget gates open (bias
    1): with the transformer's N(0, 0.02), where no LayerNorm makes them larger, it takes longer to learn more than
    how frequent each token is.
    """

    format = FORMAT

    def __init__(self, config: GPT1Config):
        super().__init__()
        self.config = config
        self.tokens_embed = nn.Embedding(config.n_rows, config.n_embd)
        self.h = nn.ModuleList([Recurrent(config)])
        nn.init.normal_(self.tokens_embed.weight, std=0.1)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.tokens_embed.weight.device

    def forward(
        self,
        ids: Tensor,
        *,
        joint_softmax: bool = False,
        head: Callable[[Tensor, Tensor], Tensor] = linear,
    ) -> Output:
        """Logits for the token after each position.

        Args:
            ids: token rows (B, T), integers; T may be any length.
            joint_softmax: makes no difference: there are no position rows to score.
            head: as for GPT1.

        Returns:
            Output(logits (B, T, V), hidden (B, T, C)).
        """
        if ids.shape[1] == 0:
            raise GPT1VizError("no_tokens")
        rows = F.dropout(self.tokens_embed.weight, self.config.embd_pdrop if self.training else 0.0)  # (V, C)
        hidden = self.h[0](F.embedding(ids, rows))  # (B, T, C)
        return Output(head(hidden, rows), hidden)


SETTINGS = PretrainSettings(  # those of the bundled checkpoint (assets/recipes/storybook.toml), but for budget and rate
    batch_size=16,
    steps=1024,
    lr=4e-3,
    betas=(0.9, 0.98),
    warmup=500,
    eval_every=250,
    prompts=(),
    precision="float32",
)


def pretrain_lstm(
    run_dir: str | Path,
    *,
    like: str = "storybook",
    books: str | None = None,
    settings: PretrainSettings = SETTINGS,
    callbacks: Iterable[Callback] = (),
    resume: bool = False,
    lang: str = "en",
) -> Outcome:
    """Pre-train an LSTM as large as a checkpoint, on the story books, in that checkpoint's vocabulary.

    Args:
        run_dir, callbacks, resume: see `pretrain`.
        like: the checkpoint.
        books: folder of the books; without it they are downloaded.
        settings: an LSTM writes no samples, so `prompts` is ().
        lang: of what is said on stderr.

    Raises:
        GPT1VizError: as `pretrain`; no books.
    """
    other = checkpoints.load(like)
    texts = {part: encode([f"books:{part}"], other.tokenizer, books, lang) for part in ("train", "validation")}
    torch.manual_seed(settings.seed)
    model = LSTM(replace(other.info.config, n_special=0))
    return pretrain(
        model,  # pyright: ignore[reportArgumentType]  # it takes a GPT1's place
        texts["train"],
        other.tokenizer,
        run_dir,
        settings=settings,
        validation=texts["validation"],
        callbacks=callbacks,
        resume=resume,
        source={"model": FORMAT, "like": like, "text": ["books:train"], "validation": ["books:validation"]},
    )


def load_lstm(what: str | Path = BUNDLED) -> Loaded:
    """An LSTM that `pretrain_lstm` or `checkpoints.save` wrote, frozen, in eval mode.

    Args:
        what: the bundled one; a run's folder, whose newest checkpoint is taken, or with "@500" behind it that of step
            500; or a folder with a checkpoint's files.

    Raises:
        GPT1VizError: nothing there, damaged files, or another model.
    """
    entry = checkpoints.folder_entry(expanded(what))
    values = formats.read_json(entry.location / "config.json")
    if values.get("format") != FORMAT:
        raise GPT1VizError("checkpoint_foreign", path=entry.location / "config.json", found=values.get("format"))
    config = GPT1Config.from_dict(values)
    model = LSTM(config)
    formats.restore(entry.location, model)
    tokenizer = formats.read_tokenizer(entry.location, config)
    n_params = sum(p.numel() for p in model.parameters())
    info = Info(entry.id, entry.name, entry.source, FORMAT, "float32", config, n_params)
    return Loaded(model.eval().requires_grad_(False), tokenizer, info)  # pyright: ignore[reportArgumentType]
