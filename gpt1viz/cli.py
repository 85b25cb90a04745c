"""The command `gpt1viz`. What is heavy is imported inside the commands, so that `--help` answers at once."""

import json
import os
import sys
import unicodedata
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from .errors import GPT1VizError
from .text import LANGUAGES, t
from .text.tokens import harmless

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # click's; where click is depends on typer's version
HERE = Path(__file__).parent
APPS = (HERE.parent / "app" / "main.py", HERE / "_app" / "main.py")  # a checkout's, then the wheel's


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 2 for bad input, with one sentence on stderr; 130 after Ctrl-C."""
    lang = "en"
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
        arguments, lang = _language(sys.argv[1:] if arguments is None else arguments)
        code = build(lang)(args=arguments or ["--help"], prog_name="gpt1viz", standalone_mode=False)
        sys.stdout.flush()
        return code or 0
    except GPT1VizError as fault:
        return _refuse(fault.message(lang))
    except UsageError as fault:
        sentence = fault.format_message()  # pyright: ignore[reportAttributeAccessIssue]
        return _refuse(t("cli.usage", lang, fault=harmless(sentence).rstrip(".")))
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        _close_output()
        return 1
    except OSError as fault:
        try:
            sys.stdout.flush()
        except OSError:
            _close_output()
        reason = fault.strerror or str(fault)
        refusal = GPT1VizError("cli_system", fault=f"{reason}: {fault.filename}" if fault.filename else reason)
        return _refuse(refusal.message(lang))


def build(lang: str) -> typer.Typer:
    """All commands, with their help in one language."""
    app = typer.Typer(help=t("cli.help", lang), add_completion=False, rich_markup_mode=None)
    lang_ = typer.Option(lang, "--lang", metavar="|".join(LANGUAGES), help=t("cli.lang", lang))
    model_ = typer.Option("storybook", "--model", "-m", help=t("cli.model", lang))
    text_ = typer.Argument(help=t("cli.text", lang))
    json_ = typer.Option(False, "--json", help=t("cli.json", lang))

    @app.callback()
    def options(lang: str = lang_):
        """`main` has read it already: the help needs it."""

    @app.command("app", help=t("cli.app", lang))
    def app_(port: Annotated[int, typer.Option(min=1, max=65535, help=t("cli.port", lang))] = 8501):
        _app(port)

    @app.command(help=t("cli.info", lang))
    def info(model: Annotated[str, typer.Argument(help=t("cli.model", lang))] = "storybook", as_json: bool = json_):
        from .checkpoints import load

        (_info_json if as_json else _info)(load(model), lang)

    @app.command(help=t("cli.explain", lang))
    def explain(
        text: str = text_,
        model: str = model_,
        top: Annotated[int, typer.Option(min=1, help=t("cli.top", lang))] = 5,
        as_json: bool = json_,
    ):
        text = _read(text)
        from .checkpoints import load
        from .explain import explain

        loaded = load(model)
        seen = explain(loaded.model, loaded.tokenizer, text, record=(), top_k=top)
        if seen.n_typed > len(seen.tokens):
            print(t("cli.cut", lang, n=len(seen.tokens), m=seen.n_typed), file=sys.stderr)
        (_explain_json if as_json else _explain)(seen, loaded.tokenizer, lang)

    @app.command(help=t("cli.generate", lang))
    def generate(
        text: str = text_,
        model: str = model_,
        tokens: Annotated[int, typer.Option("--tokens", "-n", min=1, help=t("cli.tokens", lang))] = 40,
        temperature: Annotated[float, typer.Option(help=t("cli.temperature", lang))] = 1.0,
        top_k: Annotated[int | None, typer.Option(help=t("cli.top_k", lang))] = None,
        top_p: Annotated[float | None, typer.Option(help=t("cli.top_p", lang))] = None,
        greedy: Annotated[bool, typer.Option("--greedy", help=t("cli.greedy", lang))] = False,
        seed: Annotated[int | None, typer.Option(help=t("cli.seed", lang))] = None,
        stop_at_newline: Annotated[bool, typer.Option("--stop-at-newline", help=t("cli.stop", lang))] = False,
    ):
        text = _read(text)
        from .checkpoints import load
        from .generate import generate

        loaded = load(model)
        stop = ("\n",) if stop_at_newline else ()
        draw = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "greedy": greedy, "seed": seed}
        steps = generate(loaded.model, loaded.tokenizer, text, tokens, stop=stop, **draw)
        slid = _stream(steps)
        if slid:
            print(t("cli.slid", lang, n_ctx=loaded.info.config.n_ctx), file=sys.stderr)

    @app.command(help=t("cli.download", lang))
    def download(model: Annotated[str, typer.Argument(help=t("cli.download_model", lang))] = "openai-gpt"):
        from . import download

        repo, _, revision = model.removeprefix("hf:").partition("@")
        if model == "openai-gpt":
            print(download.openai_gpt(lang=lang))
        elif model.startswith("hf:"):
            print(download.from_hub(repo, revision or None, update=True, lang=lang))
        else:
            raise GPT1VizError("cli_download", model=model)

    @app.command(help=t("cli.export", lang))
    def export(
        model: Annotated[str, typer.Argument(help=t("cli.model", lang))],
        folder: Annotated[Path, typer.Argument(help=t("cli.folder", lang))],
    ):
        from . import checkpoints

        loaded = checkpoints.load(model)
        print(checkpoints.export(loaded, folder))
        if loaded.task:
            print(t("cli.no_head", lang), file=sys.stderr)

    from . import cli_finetune, cli_reproduce, cli_training

    cli_training.add(app, lang)
    cli_finetune.add(app, lang)
    cli_reproduce.add(app, lang)
    return app


def _close_output() -> None:
    """Nobody takes what is printed; without this Python complains on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2


def _language(arguments: list[str]) -> tuple[list[str], str]:
    """Takes `--lang X` out, wherever it stands before a `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    for at, word in enumerate(arguments[:end]):
        name, equals, value = word.partition("=")
        if name == "--lang":
            value, after = (value, at + 1) if equals else ("".join(arguments[at + 1 : at + 2]), at + 2)
            if value not in LANGUAGES:
                raise GPT1VizError("cli_language", value=value, allowed=", ".join(LANGUAGES))
            return arguments[:at] + arguments[after:], value
    return arguments, "en"


def _read(text: str) -> str:
    """The argument, or standard input for `-`, without its last newline."""
    try:
        if text == "-":
            return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
        text.encode("utf-8")  # an argument of other bytes arrives with surrogates in it
    except UnicodeError:
        raise GPT1VizError("cli_not_utf8") from None
    return text


def _app(port: int) -> None:
    page = next((path for path in APPS if path.exists()), None)
    if page is None:
        raise GPT1VizError("cli_no_app")
    try:
        from streamlit.web import cli
    except ImportError:
        raise GPT1VizError("cli_no_streamlit") from None
    settings = {"server.address": "localhost", "server.port": port}
    settings |= {"browser.gatherUsageStats": "false", "server.showEmailPrompt": "false"}
    cli.main(["run", str(page), *(f"--{name}={value}" for name, value in settings.items())], prog_name="streamlit")


def _parts(model) -> dict[str, int]:
    """Number of parameters of each part; those of a block are of one block."""
    prefixes = {
        "tokens_embed": ("tokens_embed",),
        "positions_embed": ("positions_embed",),
        "attn": ("h.0.attn",),
        "mlp": ("h.0.mlp",),
        "ln": ("h.0.ln_1", "h.0.ln_2"),
        "block": ("h.0.",),
        "ln_f": ("ln_f",),
    }
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    return {part: sum(n for name, n in sizes.items() if name.startswith(which)) for part, which in prefixes.items()}


def _info_json(loaded, lang: str) -> None:
    info = loaded.info
    values = {name: getattr(info, name) for name in ("id", "name", "source", "format", "dtype", "commit", "n_params")}
    values |= {"parameters": _parts(loaded.model), "config": info.config.to_dict()}
    if loaded.task:
        values["task"] = {"kind": loaded.task.kind, "labels": loaded.task.labels}
    print(json.dumps(values, ensure_ascii=False, indent=1))


def _info(loaded, lang: str) -> None:
    info, config, parts = loaded.info, loaded.info.config, _parts(loaded.model)
    print(f"{info.name} ({info.id})")
    source = t("cli.bundled", lang) if info.source == "bundled" else info.source
    print(t("cli.source", lang, source=source, format=info.format, dtype=info.dtype))
    if info.commit:
        print(t("cli.commit", lang, commit=info.commit))
    shape = {name: f"{getattr(config, name):,}" for name in ("n_layer", "n_head", "n_embd", "n_ctx")}
    print(t("cli.shape", lang, d_head=config.d_head, n_mlp=f"{4 * config.n_embd:,}", **shape))
    print(t("cli.vocabulary", lang, n_vocab=f"{config.n_vocab:,}", n_special=config.n_special))
    if loaded.task:
        print(t("cli.task", lang, kind=loaded.task.kind, labels=harmless(", ".join(loaded.task.labels))))
    rows = [(t(f"cli.part_{part}", lang, n_layer=config.n_layer), f"{n:,}") for part, n in parts.items() if n]
    print()
    table([*rows, (t("cli.part_all", lang), f"{info.n_params:,}")], right=(1,))


def _explain_json(seen, tokenizer, lang: str) -> None:
    def number(x) -> float | None:
        return None if x != x else float(x)  # JSON has no NaN

    tokens = [
        {"id": piece.id, "entry": piece.entry, "start": piece.start, "end": piece.end}
        | {name: number(getattr(seen, name)[at]) for name in ("probability", "surprisal", "entropy")}
        | {"rank": int(seen.rank[at]) or None}
        | {
            "next": [
                {"id": int(id), "entry": tokenizer.entry(int(id)), "probability": float(p)}
                for id, p in zip(seen.next_ids[at], seen.next_probability[at], strict=True)
            ]
        }
        for at, piece in enumerate(seen.tokens)
    ]
    print(json.dumps({"text": seen.text, "tokens": tokens}, ensure_ascii=False, indent=1))


def _explain(seen, tokenizer, lang: str) -> None:
    from .figures.numbers import percent
    from .figures.theme import labels

    rows = [tuple(t(f"cli.column_{name}", lang) for name in ("place", "token", "p", "bits", "rank", "next"))]
    for at, label in enumerate(labels(seen.tokens)):
        guesses = zip(labels(tokenizer.pieces(map(int, seen.next_ids[at]))), seen.next_probability[at], strict=True)
        numbers = (percent(seen.probability[at]), f"{seen.surprisal[at]:.1f}", f"{seen.rank[at]:,}")
        own = numbers if at else ("–", "–", "–")
        rows.append((str(at), label, *own, "  ".join(f"{guess} {percent(p)}" for guess, p in guesses)))
    table(rows, right=(0, 2, 3, 4))


def _stream(steps) -> bool:
    """Print the text as it grows, and return whether the window slid.

    The last token's word waits for the next token, which may still change how it is written (`well -` becomes
    `well-known`).
    """
    text, printed, slid = "", 0, False
    for step in steps:
        same = (a == b for a, b in zip(text, step.text, strict=False))
        settled = sum(takewhile(bool, same))
        text, slid = step.text, slid or step.window_start > 0
        print(_lines(text[printed:settled]), end="", flush=True)
        printed = max(printed, settled)
    print(_lines(text[printed:]))
    return slid


def _lines(text: str) -> str:
    """Text of a vocabulary that others may have made, on its lines."""
    return "\n".join(map(harmless, text.split("\n")))


def table(rows: list[tuple[str, ...]], right: tuple[int, ...]) -> None:
    """Columns two blanks apart; Chinese characters take two places."""

    def width(text: str) -> int:
        return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)

    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for at, cell in enumerate(row):
            blanks = " " * (widths[at] - width(cell))
            cells.append(blanks + cell if at in right else cell + blanks)
        print("  ".join(cells).rstrip())
