"""Pre-training text from a data set of the Hugging Face hub, by name.

The hub makes a copy of every public set as parquet files, CONFIG/SPLIT/0000.parquet and so on; only these are read, so
that no set's script is run.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ..download import cache_folder, disk_faults, hub_faults
from ..errors import GPT1VizError
from ..text import t

PREFIX = "hf:"
REVISION = "refs/convert/parquet"
PARTIAL = "partial-"  # before a split's name: the copy stops after some gigabytes
_NAME = re.compile(r"hf:([^/:]+/[^/:]+)(?:/([^/:]+))?(?::([^/:]+))?")
_ROWS = 256  # read at a time


def hub_files(name: str, lang: str = "en") -> list[Path]:
    """The parquet files of a set's split, downloaded once and from then on used without asking the network.

    Of a very large set the hub's copy has a first part only; that is said on stderr.

    Args:
        name: "hf:owner/name", "hf:owner/name/config", either with ":split" behind it. The split is "train" by default,
            the config "default" or the only one.
        lang: of what is said on stderr.

    Raises:
        GPT1VizError: not such a name, no network, no such set, config or split, a full disk.
    """
    parts = _NAME.fullmatch(name)
    if not parts:
        raise GPT1VizError("hub_text_name", name=name)
    repo, config, split = parts[1], parts[2], parts[3] or "train"
    record = cache_folder() / "hub-text" / (quote(f"{repo}/{config or ''}:{split}", safe="") + ".json")
    if found := _recorded(record):
        return found
    from huggingface_hub import HfApi, snapshot_download

    with hub_faults(repo):
        info = HfApi().dataset_info(repo, revision=REVISION)
        chosen = _choose([file.rfilename for file in info.siblings or []], name, config, split)
        if chosen[0].split("/")[1].startswith(PARTIAL):
            print(t("data.hub_partial", lang, name=name), file=sys.stderr)
        folder = Path(snapshot_download(repo, repo_type="dataset", revision=info.sha, allow_patterns=chosen))
    files = [folder / path for path in chosen]
    with disk_faults(record.parent):
        record.parent.mkdir(parents=True, exist_ok=True)
        beside = record.with_suffix(".new")
        beside.write_text(json.dumps([str(path) for path in files]), encoding="utf-8")
        beside.replace(record)
    return files


def _recorded(record: Path) -> list[Path]:
    """The files that an earlier call has downloaded; none if one of them is gone."""
    try:
        files = [Path(path) for path in json.loads(record.read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return []
    return files if all(path.exists() for path in files) else []


def _choose(paths: list[str], name: str, config: str | None, split: str) -> list[str]:
    """Those of a set's files that are asked for, in order."""
    files = [path for path in sorted(paths) if path.endswith(".parquet") and path.count("/") == 2]
    configs = list(dict.fromkeys(path.split("/")[0] for path in files))
    if config is None and configs:
        config = configs[0] if len(configs) == 1 else "default"
    if config not in configs:
        raise GPT1VizError("hub_text_config", name=name, known=_few(configs))
    splits = {path.split("/")[1] for path in files if path.startswith(f"{config}/")}
    folder = split if split in splits else PARTIAL + split
    if folder not in splits:
        known = _few(sorted(found.removeprefix(PARTIAL) for found in splits))
        raise GPT1VizError("hub_text_split", name=name, split=split, known=known)
    return [path for path in files if path.startswith(f"{config}/{folder}/")]


def _few(names: list[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "") if names else "-"


def read_texts(path: Path) -> Iterator[str]:
    """The texts of a parquet file: column "text", or the only one that holds text. Some rows at a time are in memory.

    Raises:
        GPT1VizError: pyarrow is not installed, the file is damaged, or there is no such column.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise GPT1VizError("task_pyarrow") from None
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            texts = [f.name for f in schema if arrow.types.is_string(f.type) or arrow.types.is_large_string(f.type)]
            if "text" not in texts and len(texts) != 1:
                raise GPT1VizError("hub_text_column", path=path, found=_few(schema.names))
            column = "text" if "text" in texts else texts[0]
            for batch in file.iter_batches(_ROWS, columns=[column]):
                yield from (text for text in batch.column(0).to_pylist() if text)
    except (OSError, arrow.ArrowException) as fault:
        raise GPT1VizError("text_unreadable", path=path, fault=str(fault).partition("\n")[0].rstrip(".")) from None
