"""Fetching the 117M weights: from OpenAI's repository, every file checked, or from the Hugging Face hub."""

import errno
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha1
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from .errors import GPT1VizError
from .text import t

COMMIT = "a69b5c43b0452462890bca8ff92fb75dee9290cf"
REPOSITORY = "openai/finetune-transformer-lm"
BASE = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}/model"
BLOBS = {  # git's name of each file's content: sha1 of "blob <size>\0" and the content
    "encoder_bpe_40000.json": "9dc3f0af5a80956e57dc8d9401e16dfadcade7c2",
    "vocab_40000.bpe": "0023a687b3d4d0b795a5e97cc914bdabb5a253df",
    "params_shapes.json": "29fac299ae848d7e447be84a33345edcf1b5353c",
    "params_0.npy": "84d83ac1f1cc878f56f33b167482c184491875d2",
    "params_1.npy": "0f19f4d4cda3d8f908e3faffd2cb2a8b9a4039da",
    "params_2.npy": "25bc19c72fdff69505a828ec6d73b32063532148",
    "params_3.npy": "5b2e6958d42a930966c9d602a012eb846ca67c83",
    "params_4.npy": "87ad158987e307e6aa64952610f466d750b73bc7",
    "params_5.npy": "74f3853316bba327229605dbedfe921996f11448",
    "params_6.npy": "5ef44e40bc076d0c9686d1273d54cbc16c3f0980",
    "params_7.npy": "d8d5c8d3bee9b20a677605ac1fe6c7af4df57c94",
    "params_8.npy": "f980f4b393716f396ae5ae6401708dcf4f270dc9",
    "params_9.npy": "d389eb2074dd74754444b8062aba78b49f6a9053",
}
WEIGHTS_SIZE = 4 * 116_534_784  # bytes of float32; the other files and headers are 1.3 MB
OPEN_TIMEOUT = 8  # seconds until the server must have answered, name look-up and all its addresses included
READ_TIMEOUT = 30  # seconds that a transfer may stand still
CHUNK = 1 << 20

HUB_WEIGHTS = "model.safetensors"
HUB_FILES = [HUB_WEIGHTS, "config.json", "tokenizer.json", "vocab.json", "merges.txt", "README.md"]

Report = Callable[[int], object]  # is told how many more bytes are there


def cache_folder() -> Path:
    """Where downloads are kept: GPT1VIZ_CACHE, else the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("GPT1VIZ_CACHE") or platformdirs.user_cache_dir("gpt1viz"))


def cached_openai_gpt() -> Path | None:
    """The folder of the 2018 release if all of it is in the cache."""
    folder = cache_folder() / "openai-gpt"
    return folder if all((folder / name).exists() for name in BLOBS) else None


def openai_gpt(report: Report | None = None, lang: str = "en") -> Path:
    """Bring the 2018 release into the cache, going on where an earlier attempt stopped, and return its folder.

    Says the size on stderr and shows a progress bar, unless `report` takes the bytes.

    Raises:
        GPT1VizError: no network, an answer other than the file, a file that is not what OpenAI published, a full disk,
            another download under way.
    """
    from filelock import FileLock, Timeout

    if folder := cached_openai_gpt():
        return folder
    folder = cache_folder() / "openai-gpt"
    if report is None:
        print(t("cli.fetching", lang, size=WEIGHTS_SIZE // 10**6, source=f"github.com/{REPOSITORY}"), file=sys.stderr)
    with disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / ".lock", timeout=0), _bar(report) as count:
                for name, blob in BLOBS.items():
                    _fetch(f"{BASE}/{name}", folder / name, blob, count)
        except Timeout:
            raise GPT1VizError("download_busy", path=folder) from None
    return folder


def _fetch(url: str, path: Path, blob: str, count: Report) -> None:
    """One file: into a .part beside it, checked, then renamed."""
    if path.exists():
        count(path.stat().st_size)
        return
    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    wanted = have
    if answer := _ask(url, have):
        with answer:
            resumed = answer.status == 206
            wanted = int(answer.headers.get("Content-Length", 0)) + (have if resumed else 0)
            count(have if resumed else 0)
            with part.open("ab" if resumed else "wb") as file:
                while chunk := _next(answer, url):
                    file.write(chunk)
                    count(len(chunk))
    if (size := part.stat().st_size) < wanted:
        raise GPT1VizError("download_broken", url=url, fault=f"{size:,} / {wanted:,} bytes")
    if _blob_id(part) != blob:
        part.unlink()
        raise GPT1VizError("download_hash", url=url, blob=blob)
    os.replace(part, path)


def get(url: str) -> bytes:
    """A small file.

    Raises:
        GPT1VizError: no network, another answer than the file, or a transfer that broke off.
    """
    answer = _ask(url, 0)
    assert answer is not None  # that is for byte ranges
    with answer:
        return b"".join(iter(lambda: _next(answer, url), b""))


def _ask(url: str, have: int):
    """The server's answer, from byte `have` on; None if it says that there is nothing after it."""
    headers = {"User-Agent": "gpt1viz", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        return _open(Request(url, headers=headers))
    except HTTPError as fault:
        fault.close()
        if have and fault.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise GPT1VizError("download_answer", url=url, fault=f"{fault.code} {fault.reason}") from None
    except (OSError, HTTPException) as fault:
        reason = getattr(fault, "reason", fault)
        reason = getattr(reason, "strerror", None) or reason
        raise GPT1VizError("download_offline", host=urlsplit(url).netloc, fault=reason) from None


def _next(answer, url: str) -> bytes:
    try:
        return answer.read(CHUNK)
    except (OSError, HTTPException) as fault:
        raise GPT1VizError("download_broken", url=url, fault=fault) from None


def _open(request: Request):
    """`urlopen`, given up after OPEN_TIMEOUT seconds in all (its own limit is for each address of the host)."""
    answers: queue.Queue = queue.Queue()

    def work():
        try:
            answers.put(urlopen(request, timeout=READ_TIMEOUT))
        except Exception as fault:
            answers.put(fault)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=OPEN_TIMEOUT)
    except queue.Empty:
        raise TimeoutError(f"no answer in {OPEN_TIMEOUT} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _blob_id(path: Path) -> str:
    """Git's name of the file's content."""
    digest = sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def from_hub(repo: str, revision: str | None = None, *, update: bool = False, lang: str = "en") -> Path:
    """A Hugging Face repository's files as a folder of the hub's own cache, named after the resolved commit.

    What lies in the cache is used without asking the network, unless `update`. The configuration is fetched and
    looked at first, so that another architecture costs no download.

    Raises:
        GPT1VizError: no network, no such repository or revision, another architecture, any other refusal.
    """
    from huggingface_hub import snapshot_download

    if not update and (folder := cached_hub(repo, revision)):
        return folder
    with hub_faults(repo):
        folder = Path(snapshot_download(repo, revision=revision, allow_patterns=["config.json"]))
        from .formats import read_json

        found = read_json(folder / "config.json").get("model_type")
        if found != "openai-gpt":
            raise GPT1VizError("checkpoint_foreign", path=f"{repo}/config.json", found=found)
        print(t("cli.fetching_hub", lang, size=_hub_size(repo, folder.name), source=repo), file=sys.stderr)
        return Path(snapshot_download(repo, revision=folder.name, allow_patterns=HUB_FILES))


def cached_hub(repo: str, revision: str | None = None) -> Path | None:
    """The folder of a hub repository if its weights are in the cache."""
    from huggingface_hub import snapshot_download

    with hub_faults(repo):
        try:
            folder = Path(snapshot_download(repo, revision=revision, local_files_only=True))
        except FileNotFoundError:
            return None
    return folder if (folder / "config.json").exists() and (folder / HUB_WEIGHTS).exists() else None


def cached_hub_models() -> Iterator[tuple[str, Path]]:
    """Name and folder of every GPT-1 in the hub's cache."""
    from huggingface_hub import constants

    from .formats import read_json

    for main in sorted(Path(constants.HF_HUB_CACHE).glob("models--*/refs/main")):
        folder = main.parents[1] / "snapshots" / main.read_text(encoding="utf-8").strip()
        if not (folder / HUB_WEIGHTS).exists():
            continue
        try:
            found = read_json(folder / "config.json").get("model_type")
        except GPT1VizError:
            continue
        if found == "openai-gpt":
            yield main.parents[1].name.removeprefix("models--").replace("--", "/"), folder


def _hub_size(repo: str, revision: str) -> int:
    """Megabytes to fetch."""
    from huggingface_hub import HfApi

    files = HfApi().model_info(repo, revision=revision, files_metadata=True).siblings or []
    return sum(file.size or 0 for file in files if file.rfilename in HUB_FILES) // 10**6


@contextmanager
def hub_faults(repo: str) -> Iterator[None]:
    """What the hub's client raises, as one sentence. Its network faults have no common base."""
    from huggingface_hub import errors

    try:
        yield
    except GPT1VizError:
        raise
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError):
        raise GPT1VizError("hub_unknown", repo=repo) from None
    except errors.LocalEntryNotFoundError:
        raise GPT1VizError("hub_offline", repo=repo) from None
    except Exception as fault:
        if {"ConnectionError", "TransportError", "Timeout"} & {base.__name__ for base in type(fault).__mro__}:
            raise GPT1VizError("hub_offline", repo=repo) from None
        raise GPT1VizError("hub_failed", repo=repo, fault=str(fault).partition("\n")[0]) from fault


@contextmanager
def disk_faults(folder: Path) -> Iterator[None]:
    """Puts a full disk or an unwritable folder into a sentence."""
    try:
        yield
    except OSError as fault:
        full = fault.errno in (errno.ENOSPC, errno.EDQUOT)
        code = "download_disk_full" if full else "download_unwritable"
        raise GPT1VizError(code, path=folder, fault=fault.strerror) from None


@contextmanager
def _bar(report: Report | None) -> Iterator[Report]:
    if report is not None:
        yield report
        return
    from tqdm.auto import tqdm

    seen = sys.stderr.isatty() or "ipykernel" in sys.modules
    with tqdm(total=WEIGHTS_SIZE, unit="B", unit_scale=True, disable=not seen) as bar:
        yield bar.update
