"""kill -9 before each write, in the middle of one, at any moment: the last good state is there and goes on."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import stores
import tiny_run
import torch
from cases import times
from deeds import STORY, other_model
from test_download import FILES, cache, server  # noqa: F401 (fixtures)
from tiny_run import one_thread  # noqa: F401 (a fixture)

from gpt1viz import checkpoints, load
from gpt1viz.data.corpus import build
from gpt1viz.tokenizer import Tokenizer
from gpt1viz.training import files
from gpt1viz.training.runs import read_run

pytestmark = pytest.mark.area("killed while writing")


def deaths(n_writes: int, n_bytes: int, seconds: float, few: int, many: int) -> Iterator[dict]:
    """Where to die: before every write (few: before some), at some length of a file, after some time."""
    draws = random.Random(few)
    before = range(1, n_writes + 1)
    for at in sorted(draws.sample(before, min(len(before), times(few, many)))):
        yield {"at": at}
    for _ in range(times(few // 2, many // 2)):
        yield {"bytes": draws.randrange(1, n_bytes)}
        yield {"seconds": draws.uniform(0.001, seconds)}


def is_same(found: torch.nn.Module, wanted: torch.nn.Module) -> bool:
    mine, theirs = found.state_dict(), wanted.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_checkpoint_that_is_replaced(victim, case, tmp_path):
    folder = tmp_path / "mine"
    stores.ours(folder)
    whole = victim("save", folder=folder, below=tmp_path)
    assert not whole.killed and is_same(load(folder).model, other_model())
    size = (folder / "model.safetensors").stat().st_size
    old = new = 0
    for death in deaths(whole.writes, size, 0.3, 6, 24):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        stores.ours(folder)
        with case(death):
            died = victim("save", folder=folder, below=tmp_path, **death)
            assert died.killed or "seconds" in death or death.get("bytes", size) >= size - 200
            model = load(folder).model
            old, new = old + is_same(model, stores.model()), new + is_same(model, other_model())
            checkpoints.save(stores.model(), folder, stores.tokenizer())  # it is not in the way
            assert is_same(load(folder).model, stores.model())
    assert old and new and old + new == case.n


def test_a_new_checkpoint_and_an_export(victim, case, tmp_path):
    base = stores.ours(tmp_path / "base")
    for do, named in (("save", {}), ("export", {"model": base})):
        folder = tmp_path / do
        whole = victim(do, folder=folder, below=tmp_path, **named)
        assert load(folder)
        shutil.rmtree(folder)
        for death in deaths(whole.writes, 20_000, 0.3, 4, 20):
            with case(f"{do} {death}"):
                victim(do, folder=folder, below=tmp_path, **named, **death)
                assert not folder.exists() or load(folder)
                checkpoints.export(load(base), folder)
                assert load(folder)
            shutil.rmtree(folder, ignore_errors=True)


def test_the_small_files_of_a_run(victim, case, tmp_path):
    def begin():
        files.write_json(tmp_path / "settings.json", {"old": 1})
        files.write_rows(tmp_path / "rows.jsonl", [{"old": 1}])
        stores.tokenizer().save(tmp_path / "tokenizer.json")

    begin()
    whole = victim("settings", folder=tmp_path, below=tmp_path)
    for death in deaths(whole.writes, 6000, 0.1, 6, 20):
        begin()
        with case(death):
            victim("settings", folder=tmp_path, below=tmp_path, **death)
            assert files.read_json(tmp_path / "settings.json") in ({"old": 1}, {"new": [*range(500)]})
            rows, _ = files.read_rows(tmp_path / "rows.jsonl")
            assert rows in ([{"old": 1}], [{"new": n} for n in range(500)])
            assert Tokenizer.from_json(tmp_path / "tokenizer.json").vocab == stores.tokenizer().vocab


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "unbroken"
    train(path)
    return path


STEPS = 12


def train(path: Path) -> str:
    return tiny_run.train(path, steps=STEPS, save_minutes=0.0, sample_every=4, resume=True).state


def test_a_training_run(victim, case, unbroken, tmp_path):
    """Killed, and killed again where it went on, it ends as the run that nobody killed: to the bit."""
    whole = victim("train", folder=tmp_path / "whole", steps=STEPS, below=tmp_path)
    wanted, weights = tiny_run.losses(unbroken), tiny_run.weights(unbroken)
    assert whole.code == 0 and tiny_run.losses(tmp_path / "whole") == wanted
    for number, death in enumerate(deaths(whole.writes, 12_000, 0.4, 2, 16)):
        path = tmp_path / f"run-{number}"
        with case(death):
            for _ in range(2):
                victim("train", folder=path, steps=STEPS, below=tmp_path, **death)
                if (path / "status.json").exists():
                    assert read_run(path).state in ("stopped", "finished", "failed")
                if checkpoints.run_steps(path):
                    assert load(path)
            assert train(path) == "finished"
            assert tiny_run.losses(path) == wanted and tiny_run.same(tiny_run.weights(path), weights)
            assert read_run(path).samples() == read_run(unbroken).samples()
            assert not list((path / "checkpoints").glob(".*"))
        shutil.rmtree(path, ignore_errors=True)


def test_an_encoded_corpus(victim, case, tmp_path):
    text = tmp_path / "story.txt"
    text.write_text(stores.TEXT * 300)
    wanted = build([text], stores.tokenizer(), tmp_path / "alone").ids.tolist()
    kept = tmp_path / "cache"
    whole = victim("corpus", path=text, cache=kept, below=kept)
    assert whole.writes >= 5
    for death in deaths(whole.writes, 20_000, 0.2, 5, 20):
        shutil.rmtree(kept, ignore_errors=True)
        with case(death):
            victim("corpus", path=text, cache=kept, below=kept, **death)
            assert build([text], stores.tokenizer(), kept).ids.tolist() == wanted


def test_a_download(victim, case, server, cache, tmp_path):  # noqa: F811
    job = {
        "base": f"http://127.0.0.1:{server.server_port}/model",
        "environment": {"GPT1VIZ_CACHE": str(tmp_path), "no_proxy": "127.0.0.1"},
        "below": tmp_path,
    }
    whole = victim("fetch", **job)
    assert whole.code == 0 and is_whole(cache)
    for death in deaths(whole.writes, sum(map(len, FILES.values())), 0.1, 4, 20):
        shutil.rmtree(cache, ignore_errors=True)
        with case(death):
            victim("fetch", **job, **death)
            parts = {path.stem: f"bytes={path.stat().st_size}-" for path in cache.glob("*.part") if path.stat().st_size}
            server.asked.clear()
            assert victim("fetch", **job).code == 0 and is_whole(cache)
            assert {name: asked for name, asked in server.asked if asked} == parts  # it went on where it had stopped


def is_whole(folder: Path) -> bool:
    same = all((folder / name).read_bytes() == content for name, content in FILES.items())
    return same and not list(folder.glob("*.part"))


def test_an_upload(victim, case, tmp_path):
    """The server dies while it writes what somebody has uploaded: the name stays free, and no half text is learned."""
    texts = tmp_path / "runs" / "mine" / "text"
    job = {"name": "mine", "environment": {"GPT1VIZ_RUNS": str(tmp_path / "runs")}, "below": tmp_path}
    for death in [{"at": at} for at in range(1, 9)] + [{"bytes": n} for n in (1, 100, 30_000)]:
        with case(death):
            assert victim("upload", **job, **death).killed
            assert not list(tmp_path.rglob("status.json"))  # it is no run
            assert victim("upload", **job).killed
            assert {path.name: path.stat().st_size for path in texts.iterdir()} == {
                "a.txt": len(STORY),
                "b.txt": 50_000,
            }
        shutil.rmtree(tmp_path / "runs")
