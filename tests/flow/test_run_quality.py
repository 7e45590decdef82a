"""What a run tells of its quality while it goes: by the API, in reports, as picks for people."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.client.errors import UsageError
from wherry.client.run_views import RunView
from wherry.ops.stack import Stack
from wherry.protocol.errors import InvalidRequest, NotFound

from ..support.models import model

MODELS = (
    model("finder", "object-detection", max_batch_size=32, reject_on="REJECT")
    + model("guesser", "image-classification", max_batch_size=32, reject_on="REJECT")
    + model("other-guesser", "image-classification", max_batch_size=32)
    + model("words", "text-classification", max_batch_size=64)
)

#: Pictures; copies of the first of them; rows that are answered before the run is held.
PICTURES, COPIES, SAMPLE = 60, 5, 40

#: Pictures of a larger set, and those of them that are all alike.
DOTS, ODD = 700, range(300, 400)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("quality")
    (folder / "models.toml").write_text(MODELS)
    env = {"WHERRY_RUN_SHARD_FILES": "25"}
    with Stack(
        models=folder / "models.toml", data_dir=folder, flower=False, run_workers=2, env=env
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(fleet: Stack) -> Iterator[Client]:
    with Client(fleet.url) as client:
        yield client


def scene(seed: int) -> Image.Image:
    blots = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(blots).resize((96, 72), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with copies of other sizes at the end, in other shards, and files that are none."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    for number in range(PICTURES):
        scene(number).save(folder / f"{number:03}.png")
    for number in range(COPIES):
        scene(number).resize((61, 47)).save(folder / f"copy-{number}.jpg", quality=85)
    for number in range(3):
        (folder / f"broken-{number}.png").write_bytes(b"REJECT no picture %d" % number)
    (folder / "empty.png").write_bytes(b"")
    return folder


def dot(folder: Path, number: int, shade: int) -> None:
    """A picture of two pixels, of which the stub makes what it likes."""
    pixels = np.array([[[shade % 256, shade // 256, 7]] * 2], np.uint8)
    Image.fromarray(pixels).save(folder / f"{number:04}.png")


@pytest.fixture(scope="module")
def first(client: Client, photos: Path) -> RunView:
    """A run over the pictures, at its end."""
    run = client.runs.start(photos, model="guesser", name="first", sample=SAMPLE)
    held = client.runs.wait(run.id, timeout_s=120)
    assert held.state == "held"
    client.runs.resume(run.id)
    ended = client.runs.wait(run.id, timeout_s=120)
    assert ended.state == "succeeded", ended.error
    return ended


def test_rows_that_differ_are_named_everywhere(client: Client, tmp_path: Path) -> None:
    for number in range(DOTS):
        dot(tmp_path, number, 0 if number in ODD else number)
    ended = client.runs.wait(begun(client, tmp_path), timeout_s=120)
    assert ended.state == "succeeded", ended.error
    quality = client.runs.quality(ended.id)
    assert sum(each["rows"] for each in quality["stretches"]["stretches"]) == DOTS
    [found] = [each for each in quality["drift"] if each["what"] == "labels"]
    assert (found["first"], found["end"]) == (ODD.start, ODD.stop)
    told = f"rows {ODD.start}-{ODD.stop - 1}: {found['told']}"
    assert told in client.get(f"/v2/runs/{ended.id}")["notes"]
    assert html.escape(told) in httpx.get(f"{client.url}/v2/runs/{ended.id}/report").text


def test_rows_in_no_order_raise_no_alarm(client: Client, tmp_path: Path) -> None:
    for number in range(DOTS):
        dot(tmp_path, number, number)
    ended = client.runs.wait(begun(client, tmp_path), timeout_s=120)
    assert client.runs.quality(ended.id)["drift"] == []
    assert not any(note.startswith("rows ") for note in client.get(f"/v2/runs/{ended.id}")["notes"])


def begun(client: Client, folder: Path) -> str:
    return client.runs.start(folder, model="guesser", shard_rows=200).id


def test_a_held_run_has_the_report_of_its_sample(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    run = client.runs.start(photos, model="finder", sample=SAMPLE)
    held = client.runs.wait(run.id, timeout_s=120)
    assert (held.state, held.rows.answered) == ("held", SAMPLE)
    page = client.runs.report(run.id, tmp_path / "sample.html").read_text()
    assert f"<dt>answered</dt><dd>{SAMPLE}</dd>" in page
    assert page.count("<image") >= 24
    assert str(client.url) not in page
    quality = client.runs.quality(run.id)
    assert sum(each["rows"] for each in quality["stretches"]["stretches"]) == SAMPLE
    client.runs.cancel(run.id)


def test_without_a_sample_a_report_is_there_at_the_end_alone(
    client: Client, photos: Path, first: RunView
) -> None:
    response = httpx.get(f"{client.url}/v2/runs/{first.id}/report", timeout=30)
    assert response.status_code == 200
    assert "sandbox" in response.headers["content-security-policy"]
    assert f"<dt>rows</dt><dd>{PICTURES + COPIES + 4}</dd>" in response.text
    run = client.runs.start(photos, model="guesser")
    client.runs.cancel(run.id)
    with pytest.raises(NotFound, match="its report is made at its end"):
        client.runs.report(run.id)


def test_pictures_that_look_alike_are_found_across_shards(client: Client, first: RunView) -> None:
    near = client.runs.quality(first.id)["near_duplicates"]
    assert (near["duplicates"], near["groups"], near["blank"]) == (COPIES, COPIES, 0)
    names = {tuple(row["id"] for row in group["rows"]) for group in near["listed"]}
    assert names == {(f"{n:03}.png", f"copy-{n}.jpg") for n in range(COPIES)}
    url = near["listed"][0]["rows"][1]["picture_url"]
    response = httpx.get(f"{client.url}{url}", timeout=30)
    assert response.headers["content-type"] == "image/jpeg"
    page = httpx.get(f"{client.url}/v2/runs/{first.id}/report", timeout=30).text
    section = page.partition("Pictures that look alike")[2].partition("</section>")[0]
    assert section.count("<img") == 2 * COPIES


def test_why_rows_failed_is_counted_by_reason(client: Client, first: RunView) -> None:
    reasons = client.runs.quality(first.id)["failures"]
    assert sum(reason["rows"] for reason in reasons) == first.rows.failed == 4
    assert reasons[0]["rows"] == 3  # told of each in words of its own, for one reason
    [empty] = [reason for reason in reasons if reason["examples"] == ["empty.png"]]
    assert (empty["rows"], empty["error_type"]) == (1, "invalid_request")


def test_a_run_is_held_against_another(client: Client, first: RunView) -> None:
    other = client.runs.clone(first.id, model="other-guesser", compare=first.id, sample=0)
    ended = client.runs.wait(other.id, timeout_s=120)
    assert ended.state == "succeeded", ended.error
    told = client.runs.quality(other.id)["compared"]
    live = client.runs.compare(other.id, first.id)
    assert told["agreement"] == pytest.approx(live["agreement"], abs=1e-5)
    assert told["same_first_label"] == pytest.approx(live["same_first_label"], abs=1e-5)
    assert (told["counted"], told["of"]) == (live["counted"], live["of"])
    counts = told["confusion"]["counts"]
    assert sum(map(sum, counts)) == first.rows.answered  # by both
    page = httpx.get(f"{client.url}/v2/runs/{other.id}/report", timeout=30).text
    section = page.partition("Beside another run")[2].partition("</section>")[0]
    assert "first, guesser" in section
    clone = client.runs.clone(other.id)  # it is held against nobody, unless that is said
    assert client.get(f"/v2/runs/{clone.id}")["compare"] is None
    client.runs.cancel(clone.id)


def test_a_run_to_hold_it_against_that_is_not_there_is_refused(
    client: Client, photos: Path
) -> None:
    with pytest.raises(InvalidRequest, match="compare: no run 'nobody'"):
        client.runs.start(photos, model="guesser", compare="nobody")


def test_the_least_sure_rows_are_picked(client: Client, first: RunView, tmp_path: Path) -> None:
    rows = [row for row in client.runs.rows(first.id) if row["score"] is not None]
    least = sorted(rows, key=lambda row: (row["score"], row["index"]))
    out = client.runs.pick(
        first.id, tmp_path / "picks.json", least_sure=10, media_prefix="/data/local-files/?d="
    )
    tasks = json.loads(out.read_text())
    assert [task["data"]["wherry_id"] for task in tasks] == [row["id"] for row in least[:10]]
    for task, row in zip(tasks, least, strict=False):
        assert task["data"]["image"] == f"/data/local-files/?d={row['id']}"
        [prediction] = task["predictions"]
        [result] = prediction["result"]
        assert result["value"]["choices"] == [row["labels"][0]["label"]]
        assert prediction["model_version"] == "guesser:1"
    with pytest.raises(UsageError, match="is there"):
        client.runs.pick(first.id, out)


def test_picks_in_turns_have_each_label(client: Client, first: RunView, tmp_path: Path) -> None:
    out = client.runs.pick(
        first.id, tmp_path / "picks.jsonl", least_sure=6, by_label=True, format="jsonl"
    )
    picked = [json.loads(line) for line in out.read_text().splitlines()]
    firsts = {row["labels"][0]["label"] for row in client.runs.rows(first.id) if row["labels"]}
    assert len({row["labels"][0]["label"] for row in picked}) == min(6, len(firsts))


def test_a_format_that_cannot_hold_the_rows_is_refused(client: Client, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,text\n1,good\n2,bad\n")
    run = client.runs.wait(
        client.runs.start(tmp_path / "rows.csv", model="words").id, timeout_s=120
    )
    with pytest.raises(InvalidRequest, match="use jsonl"):
        client.runs.pick(run.id)
    with pytest.raises(InvalidRequest, match="none of label-studio, jsonl"):
        client.runs.pick(run.id, format="csv")


def test_labels_lead_to_the_rows_that_have_them_first(client: Client, first: RunView) -> None:
    view: dict[str, Any] = client.get(f"/v2/runs/{first.id}")
    assert view["first_labels"]
    assert sum(view["labels"].values()) == sum(view["scores"]) == first.rows.answered
    for label, count in view["labels"].items():
        assert len(list(client.runs.rows(first.id, first_label=label))) == count


def test_annotate_tells_the_same(client: Client, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    options = Options(source=str(photos), model="guesser", out=out, near_duplicates=True)
    summary = annotate(client, options)
    near = summary.beside.near_duplicates
    assert near is not None
    assert (near["duplicates"], near["groups"]) == (COPIES, COPIES)
    report = json.loads(out.with_name("out.jsonl.report.json").read_text())
    assert sum(each["rows"] for each in report["failures"]) == 4
    assert sum(report["labels"].values()) == PICTURES + COPIES
    page = out.with_name("out.jsonl.report.html").read_text()
    section = page.partition("Pictures that look alike")[2].partition("</section>")[0]
    pictures = re.findall(r'src="data:image/\w+;base64,([^"]+)"', section)
    assert len(pictures) == 2 * COPIES
    assert Image.open(io.BytesIO(base64.b64decode(pictures[0]))).width <= 160
