"""Runs against the real stack: what `wherry annotate` writes, whoever does them and however."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.keys import Keys
from wherry.jobs.runs import shards_of
from wherry.jobs.stores import FolderStore
from wherry.ops.stack import Stack
from wherry.protocol.errors import WherryError
from wherry.tasks.annotations.formats import BY_NAME

from ..support.holding import held
from ..support.models import model
from ..support.waiting import until

MODELS = (
    model("words", "embedding", max_batch_size=16, reject_on="REJECT")
    + model("slow", "embedding", max_batch_size=4, hold="HOLD")
    + model("pictures", "image-classification", max_batch_size=8, reject_on="REJECT")
    + model("object-detection")
)

#: Rows of the table, of which some are refused, and some are there twice.
ROWS = 700


#: For what one worker, which does all in a row, might do otherwise than three. Three come first, as
#: for every other test: a fleet is started once.
by_each = pytest.mark.parametrize(
    "fleet", [3, 1], indirect=True, ids=["three workers", "one worker"]
)


@pytest.fixture(scope="module", params=[3], ids=["three workers"])
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("runs")
    models = folder / "models.toml"
    models.write_text(MODELS.replace("HOLD", str(folder / "hold")))
    env = {"WHERRY_LEASE_TTL_S": "5", "WHERRY_RUN_SEGMENT_S": "0.2"}
    with Stack(
        models=models, data_dir=folder, flower=False, run_workers=request.param, env=env
    ) as stack:
        yield stack


@pytest.fixture
def let_go(fleet: Stack) -> Iterator[Callable[[], None]]:
    """Let the slow model answer: it answers nobody until this is called, or the test ends."""
    with held(fleet.data_dir / "hold") as let_go:
        yield let_go


class Runs:
    """A fleet's runs, as a client sees them."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.client = stack, Client(stack.url)

    def begin(self, **asked: Any) -> str:
        run_id: str = self.client.post("/v2/runs", asked)["id"]
        return run_id

    def view(self, run_id: str) -> dict[str, Any]:
        return self.client.get(f"/v2/runs/{run_id}")

    def until(self, run_id: str, *states: str) -> dict[str, Any]:
        return until(lambda: self.view(run_id), lambda run: run["state"] in states)

    def ended(self, run_id: str) -> dict[str, Any]:
        return self.until(run_id, "succeeded", "failed", "canceled", "expired")

    def command(self, run_id: str, word: str) -> dict[str, Any]:
        return self.client.post(f"/v2/runs/{run_id}/{word}", {})

    def files(self, run_id: str, query: str = "") -> dict[str, bytes]:
        """The files of an output, by their names."""
        response = httpx.get(f"{self.stack.url}/v2/runs/{run_id}/output{query}", timeout=30)
        assert response.status_code == 200, response.text
        with zipfile.ZipFile(BytesIO(response.content)) as packed:
            return {n.partition("/")[2]: packed.read(n) for n in packed.namelist()}


@pytest.fixture
def runs(fleet: Stack) -> Iterator[Runs]:
    runs = Runs(fleet)
    yield runs
    runs.client.close()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    with path.open("w") as rows:
        for number in range(ROWS):
            text = f"row {number // 2 if number % 50 == 1 else number}"
            if number % 100 == 70:
                text += " REJECT"
            rows.write(json.dumps({"id": f"r{number}", "text": text}) + "\n")
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(60):
        file = folder / f"day {number % 3}" / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16 + number % 7, 12), (number, 0, 7)).save(file)
    (folder / "broken.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    return folder


def compared(files: dict[str, bytes]) -> dict[str, bytes]:
    """What is to be the same: all but the report, which tells times."""
    return {name: data for name, data in files.items() if ".report." not in name}


def read(folder: Path, out: Path) -> dict[str, bytes]:
    """Every file of an output beside whose ledger it lies, links by where they lead."""
    files = [path for path in folder.rglob("*") if path.name.startswith(out.name)]
    files += list(out.rglob("*")) if out.is_dir() else []
    return {
        path.relative_to(folder).as_posix(): bytes(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in files
        if path.is_file() and ".ledger" not in path.name
    }


@by_each
@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_a_table_comes_out_as_annotate_writes_it(
    runs: Runs, table: Path, tmp_path: Path, format_name: str
) -> None:
    out = tmp_path / "alone" / f"annotations.{format_name}"
    summary = annotate(runs.client, Options(source=str(table), model="words", out=out))
    run_id = runs.begin(source=str(table), model="words", format=format_name, shard_rows=90)
    run = runs.ended(run_id)
    assert (run["state"], run["error"]) == ("succeeded", None)
    assert run["shards"] == {"total": 8, "done": 8, "running": 0}
    assert (run["rows"]["total"], run["rows"]["failed"]) == (ROWS, ROWS // 100)
    assert run["error_types"] == summary.findings.error_types
    assert compared(runs.files(run_id)) == compared(read(out.parent, out))


@pytest.mark.parametrize("format_name", ["yolo", "labelme"])
def test_a_folder_is_put_in_its_place_as_annotate_writes_it(
    runs: Runs, photos: Path, tmp_path: Path, format_name: str
) -> None:
    """YOLO's pictures lie beside their labels, as links: the merge reads the rows once more."""
    asked: dict[str, Any] = {"source": str(photos), "model": "object-detection"}
    alone, out = tmp_path / "alone" / "labels", tmp_path / "fleet" / "labels"
    annotate(runs.client, Options(out=alone, format=format_name, **asked))
    out.parent.mkdir()
    run_id = runs.begin(out=str(out), format=format_name, shard_rows=13, **asked)
    run = runs.ended(run_id)
    assert (run["state"], run["error"]) == ("succeeded", None)
    files = compared(read(out.parent, out))
    assert files == compared(read(alone.parent, alone))
    assert len(files) > 60
    assert run["output"]["place"] == str(out)
    (tmp_path / "fetched").mkdir()
    fetched = runs.client.runs.fetch(run_id, tmp_path / "fetched" / "labels")
    made = compared(read(fetched.parent, fetched))
    assert made.keys() == files.keys()
    links = {name for name in files if name.startswith("labels/images/")}  # fetched, pictures
    assert all(made[name] == files[name] for name in files.keys() - links)
    again = annotate(runs.client, Options(out=out, format=format_name, **asked))
    assert again.reused == 61, "its ledger is annotate's own: what is done is done"


@pytest.mark.parametrize("is_local", [False, True], ids=["in the store", "in a place"])
def test_names_that_clash_between_shards_are_given_as_annotate_gives_them(
    runs: Runs, tmp_path: Path, is_local: bool
) -> None:
    source, alone, out = (tmp_path / name for name in ("photos", "alone/shapes", "fleet/shapes"))
    for folder in (source, out.parent):
        folder.mkdir()
    for name in ("a.jpg", "a.png", "b.png"):
        Image.new("RGB", (16, 12), (len(name), 0, 7)).save(source / name)
    asked: dict[str, Any] = {"source": str(source), "model": "object-detection"}
    annotate(runs.client, Options(out=alone, format="labelme", **asked))
    place = {"out": str(out)} if is_local else {}
    run_id = runs.begin(format="labelme", shard_rows=1, **place, **asked)
    run = runs.ended(run_id)
    assert (run["state"], run["error"]) == ("succeeded", None)
    written = read(out.parent, out) if is_local else runs.files(run_id)
    files = {Path(name).name: data for name, data in compared(written).items()}
    expected = {Path(name).name: data for name, data in compared(read(alone.parent, alone)).items()}
    assert files == expected
    assert "a.json" in files
    assert len(files) == 4


@pytest.mark.parametrize("format_name", ["coco-detection", "parquet", "labelme", "yolo"])
def test_a_format_is_joined_of_what_the_shards_wrote(
    runs: Runs, fleet: Stack, photos: Path, tmp_path: Path, format_name: str
) -> None:
    asked: dict[str, Any] = {"source": str(photos), "model": "object-detection"}
    if format_name == "yolo":
        asked["images"] = "none"
    out = tmp_path / "alone" / f"annotations{BY_NAME[format_name].suffix}"
    annotate(runs.client, Options(out=out, format=format_name, **asked))
    run_id = runs.begin(format=format_name, shard_rows=13, **asked)
    run = runs.ended(run_id)
    assert (run["state"], run["error"]) == ("succeeded", None)
    assert compared(runs.files(run_id)) == compared(read(out.parent, out))
    settings, queue = JobsSettings(redis_url=fleet.redis_url), Queue(fleet.redis_url)
    assert all(shard.piece for shard in queue.run(shards_of(run_id, settings)))
    queue.close()


def test_pictures_are_those_that_were_answered(
    runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    """They are read once more when all is answered: by then the folder may be another."""
    let_go()
    source = tmp_path / "changing"
    source.mkdir()
    for number in range(6):
        Image.new("RGB", (40 + number, 30), (number, 90, 7)).save(source / f"{number}.png")
    run_id = runs.begin(source=str(source), model="object-detection", shard_rows=4)
    assert runs.ended(run_id)["state"] == "succeeded"
    kept = (source / "2.png").read_bytes()

    def exported(folder: str) -> Path:
        return runs.client.runs.fetch(run_id, tmp_path / folder, format="yolo")

    Image.new("RGB", (9, 9)).save(source / "2.png")
    (source / "4.png").write_bytes(b"no picture any more")
    labels = exported("replaced")
    names = {path.name for path in labels.rglob("*.png")}
    assert names == {"0.png", "1.png", "3.png", "5.png"}
    errors = (tmp_path / "replaced.errors.jsonl").read_text()
    assert "2.png" in errors
    assert "4.png" in errors
    (source / "2.png").write_bytes(kept)
    (source / "1.png").rename(source / "1 renamed.png")
    run_id = runs.client.runs.clone(run_id, format="csv").id
    assert runs.ended(run_id)["state"] == "succeeded"
    (source / "0.png").unlink()
    with pytest.raises(WherryError, match=r"'0.png'.*'1 renamed.png' is now"):
        exported("moved")


def test_a_run_is_held_after_its_sample(runs: Runs, table: Path) -> None:
    run_id = runs.begin(source=str(table), model="words", sample=50, shard_rows=300)
    run = runs.until(run_id, "held")
    assert run["rows"]["read"] == 50
    rows = runs.client.get(f"/v2/runs/{run_id}/rows?limit=200")["rows"]
    assert [row["index"] for row in rows] == list(range(50))
    runs.command(run_id, "resume")
    run = runs.ended(run_id)
    assert (run["state"], run["rows"]["total"]) == ("succeeded", ROWS)


@by_each
def test_a_paused_run_goes_on_where_it_was(
    runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    table = tmp_path / "few.csv"
    table.write_text("text\n" + "".join(f"row {number} of a few\n" for number in range(60)))
    run_id = runs.begin(source=str(table), model="slow", shard_rows=20)
    until(lambda: runs.view(run_id), lambda run: run["rows"]["in_flight"] > 0)
    assert runs.command(run_id, "pause")["state"] == "paused"
    until(lambda: runs.view(run_id)["shards"]["running"], lambda running: running == 0)
    let_go()
    assert runs.view(run_id)["state"] == "paused"
    runs.command(run_id, "resume")
    run = runs.ended(run_id)
    assert (run["state"], run["rows"]["answered"]) == ("succeeded", 60)
    assert computed(runs, "slow") == 60, "what was under way was read, and not computed again"


def test_a_canceled_run_takes_its_jobs_along(
    runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    table = tmp_path / "few.csv"
    table.write_text("text\n" + "".join(f"row {number} for nobody\n" for number in range(200)))
    run_id = runs.begin(source=str(table), model="slow", shard_rows=50)
    until(lambda: runs.view(run_id), lambda run: run["rows"]["in_flight"] > 0)
    before = runs.client.get("/v2/queues")["totals"]["canceled"]
    assert runs.command(run_id, "cancel")["state"] == "canceled"
    until(
        lambda: runs.client.get("/v2/queues")["totals"],
        lambda totals: totals["canceled"] > before and totals["waiting"] == 0,
    )
    let_go()
    until(
        lambda: runs.client.get("/v2/queues")["totals"],
        lambda totals: (totals["waiting"], totals["running"]) == (0, 0),
    )
    assert runs.view(run_id)["state"] == "canceled"


def test_a_finished_run_is_exported_and_forgotten_whole(
    runs: Runs, fleet: Stack, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "alone" / "annotations.csv"
    annotate(runs.client, Options(source=str(table), model="words", out=out))
    run_id = runs.begin(source=str(table), model="words", shard_rows=200)
    runs.ended(run_id)
    url = f"{fleet.url}/v2/runs/{run_id}/output?format=csv"
    until(lambda: httpx.get(url).status_code, lambda status: status == 200)
    assert compared(runs.files(run_id, "?format=csv")) == compared(read(out.parent, out))
    settings = JobsSettings(redis_url=fleet.redis_url)
    store, queue = FolderStore(fleet.data_dir / "blobs"), Queue(fleet.redis_url)
    assert list(store.blobs(f"run/{run_id}/"))
    runs.client.delete(f"/v2/runs/{run_id}")
    until(lambda: list(store.blobs(f"run/{run_id}/")), lambda blobs: not blobs)
    assert not queue.redis.keys(f"{Keys(settings.key_prefix).run(run_id)}*")
    queue.close()


def test_what_annotate_refuses_a_run_refuses_in_the_same_words(runs: Runs, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    given: list[tuple[str, dict[str, Any]]] = [
        (str(tmp_path / "none.jsonl"), {}),
        (str(empty), {}),
        (str(empty), {"format": "yolo"}),
    ]
    for source, asked in given:
        options = Options(source=source, model="words", out=tmp_path / "x.jsonl", **asked)
        with pytest.raises(Exception, match=r".") as refused:
            annotate(runs.client, options)
        try:
            run = runs.ended(runs.begin(source=source, model="words", **asked))
        except Exception as error:
            assert type(error) is type(refused.value) or "format" in str(error)
            continue
        assert (run["state"], run["error"]["message"]) == ("failed", str(refused.value))


def test_the_folder_that_the_fleet_keeps_its_own_things_in_may_be_a_source(
    runs: Runs, fleet: Stack, photos: Path
) -> None:
    """Where `wherry up` is started is often what is to be annotated."""
    place = fleet.data_dir / "mine.png"
    place.write_bytes((photos / "day 0" / "000.png").read_bytes())
    run = runs.ended(runs.begin(source=str(fleet.data_dir), model="pictures"))
    assert run["state"] == "succeeded", run["error"]
    # Other tests' fleets and stores leave pictures there too.
    rows = runs.client.get(f"/v2/runs/{run['id']}/rows?limit=1000")["rows"]
    assert "mine.png" in [row["id"] for row in rows]


def test_a_place_that_cannot_be_written_is_refused_before_any_row(
    runs: Runs, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    for out in (tmp_path / "file" / "x.jsonl", Path("/proc/x.jsonl")):
        run = runs.ended(runs.begin(source=str(table), model="words", out=str(out)))
        assert (run["state"], run["rows"]["read"]) == ("failed", 0)
        assert str(out) in run["error"]["message"]


def computed(runs: Runs, name: str) -> int:
    [stats] = runs.client.get(f"/v2/models/{name}/stats")["model_stats"]
    count: int = stats["inference_count"]
    return count
