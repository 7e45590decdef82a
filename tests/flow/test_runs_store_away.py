"""A run whose store refuses for a while: it waits, says so, and goes on with all that it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from wherry.jobs import JobsSettings
from wherry.ops.stack import Stack

from ..chaos.shaky_s3 import Fate, ShakyS3
from ..support.models import model
from ..support.waiting import until
from .test_runs import Runs, computed

ROWS = 160

#: Slow enough that all jobs are of one batch: rows that are sent again are the same jobs.
MODELS = model("steady", "embedding", max_batch_size=16, delay_per_row_s=0.003)


@pytest.fixture(scope="module")
def shaky(s3: JobsSettings) -> Iterator[ShakyS3]:
    with ShakyS3(str(s3.s3_endpoint_url)) as shaky:
        yield shaky


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, s3: JobsSettings, shaky: ShakyS3
) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("store-away")
    (folder / "models.toml").write_text(MODELS)
    env = {
        "WHERRY_STORE_URL": s3.store_url,
        "WHERRY_S3_ENDPOINT_URL": shaky.url,
        "WHERRY_S3_REGION": "us-east-1",
        "WHERRY_S3_ACCESS_KEY_ID": "id",
        "WHERRY_S3_SECRET_ACCESS_KEY": "secret",
        "WHERRY_RUN_SEGMENT_S": "0.2",
    }
    with Stack(
        models=folder / "models.toml", data_dir=folder, flower=False, run_workers=2, env=env
    ) as stack:
        yield stack


@pytest.fixture
def runs(fleet: Stack) -> Iterator[Runs]:
    runs = Runs(fleet)
    yield runs
    runs.client.close()


@pytest.mark.parametrize("kind", ["segment", "rows"])
def test_a_store_that_refuses_is_waited_for_and_nothing_is_computed_again(
    runs: Runs, shaky: ShakyS3, tmp_path: Path, kind: str
) -> None:
    """While answers come, and once all are there."""
    table = tmp_path / "rows.csv"
    table.write_text("text\n" + "".join(f"row {number} of {kind}\n" for number in range(ROWS)))
    before = computed(runs, "steady")

    def rule(method: str, path: str) -> Fate:
        kinds = unquote(unquote(path)).split("/")  # a key is one name in the bucket
        return "503" if method == "PUT" and "shard" in kinds and kind in kinds else "well"

    shaky.rule = rule
    try:
        run_id = runs.begin(source=str(table), model="steady", shard_rows=ROWS // 2)
        run = until(lambda: runs.view(run_id), lambda run: run["waiting_for"])
        assert (run["state"], run["error"]) == ("running", None)
        assert "blob store" in run["waiting_for"]["reason"]
        seen = shaky.hit
        until(lambda: shaky.hit, lambda hit: hit > seen + 2)
    finally:
        shaky.well()
    run = runs.ended(run_id)
    assert (run["state"], run["error"], run["waiting_for"]) == ("succeeded", None, None)
    assert (run["rows"]["answered"], run["rows"]["failed"]) == (ROWS, 0)
    assert computed(runs, "steady") - before == ROWS
