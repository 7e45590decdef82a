"""Data sets: a run is started from the page, watched, browsed, laid beside another, downloaded."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Locator, Page, Route, expect

from wherry.ops.stack import Stack

from .drawn import at
from .told_run import ID, tell

Show = Callable[[str], Page]
Check = Callable[[Page], None]

_BLUE = [0, 179, 204]  # --shape-1

#: Width and height of a picture: larger than what the fleet keeps of it.
EDGE = 512

MODELS = """
    [[models]]
    name = "finder"
    task = "object-detection"
    backend = "stub"
    parameters = {{ reject_on = "refuse this one" }}
    [[models]]
    name = "other-finder"
    task = "object-detection"
    backend = "stub"
    [[models]]
    name = "held"
    task = "text-classification"
    backend = "stub"
    max_batch_size = 1
    parameters = {{ hold = "{hold}" }}
    """


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model `held` waits as long as there is this file."""
    return tmp_path_factory.mktemp("hold") / "hold"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that runs may read."""
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def fleet_url(tmp_path_factory: pytest.TempPathFactory, hold: Path, watched: Path) -> Iterator[str]:
    """A fleet of stubs, and of what does runs."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "models.toml").write_text(MODELS.format(hold=hold))
    stack = Stack(
        models=folder / "models.toml",
        data_dir=folder,
        flower=False,
        run_workers=1,
        env={"WHERRY_RUN_PLACES": f"s3://allowed/,{watched}/"},  # nowhere else
    )
    with stack:
        yield stack.url


@pytest.fixture
def http(fleet_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet_url, timeout=60) as http:
        yield http


def one_box(place: int) -> tuple[bytes, list[int]]:
    """A picture in which the stub finds one box, well inside, and that box."""
    for shade in range(place * 1000, (place + 1) * 1000):
        held = io.BytesIO()
        colour = (shade % 256, shade // 256 % 256, 90)
        Image.new("RGB", (EDGE, EDGE), colour).save(held, "PNG")
        digest = hashlib.sha256(held.getvalue()).digest()
        box = [digest[2], digest[3], digest[2] + digest[4], digest[3] + digest[5]]
        inside = min(box[:2]) > 10 and max(box[2:]) < EDGE - 10
        if digest[31] % 5 == 1 and inside and min(digest[4], digest[5]) > 60 and digest[1] > 130:
            return held.getvalue(), box
    raise AssertionError("no such picture")


def refused() -> bytes:
    """A picture that anybody can look at, and the model `finder` refuses."""
    held, words = io.BytesIO(), PngImagePlugin.PngInfo()
    words.add_text("comment", "refuse this one")
    Image.new("RGB", (EDGE, EDGE), "teal").save(held, "PNG", pnginfo=words)
    return held.getvalue()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures in folders, one of which is refused."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    for place in range(6):
        file = folder / ("quay" if place % 2 else "sea") / f"{place}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(one_box(place)[0])
    (folder / "sea" / "refused.png").write_bytes(refused())
    return folder


def field(page: Page, name: str) -> Locator:
    """A field of the page; its label holds its options and its help, too."""
    return page.locator(f"main [name={name}]")


def start(page: Page, model: str, files: Path | list[Path], **fields: str) -> str:
    """Fill the form and send it; the id of the run."""
    field(page, "model").select_option(model)
    if isinstance(files, Path):
        page.locator("input[webkitdirectory]").set_input_files(files)
    else:
        page.locator("input[type=file]:not([webkitdirectory])").set_input_files(files)
    expect(page.get_by_role("button", name="Remove")).to_be_visible()
    for name, value in fields.items():
        field(page, name).fill(value)
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"#/runs/run_"))
    return page.url.rsplit("/", 1)[-1]


def state(page: Page, word: str) -> None:
    expect(page.locator(".page-head .badge")).to_have_text(word, timeout=120_000)


def part(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Of this run").get_by_role("link", name=name).click()


def lines_of(archive: Path, name: str) -> list[str]:
    """Lines of a file of what was downloaded, which has a report beside it."""
    with zipfile.ZipFile(archive) as held:
        (found,) = [each for each in held.namelist() if each.endswith(f"/{name}")]
        return held.read(found).decode().splitlines()


def cards(page: Page) -> Locator:
    return page.locator(".sheet-card")


def card(page: Page, name: str) -> Locator:
    return cards(page).filter(has=page.get_by_role("button", name=re.compile(name)))


@pytest.fixture(scope="module")
def annotated(fleet_url: str, photos: Path) -> str:
    """A run over the photos that has ended, by HTTP alone."""
    files = [
        ("files", (str(file.relative_to(photos.parent)), file.read_bytes()))
        for file in sorted(photos.rglob("*.png"))
    ]
    with httpx.Client(base_url=fleet_url, timeout=60) as http:
        source = http.post("/v2/uploads", files=files).raise_for_status().json()["source"]
        return ended(http, {"name": "photos", "model": "finder", "source": source})


def ended(http: httpx.Client, asked: dict[str, Any]) -> str:
    """Start a run and wait for its end."""
    run = http.post("/v2/runs", json=asked).raise_for_status().json()
    while run["ended_at"] is None:
        run = http.get(f"/v2/runs/{run['id']}?wait=20").json()
    assert run["state"] == "succeeded", run
    return str(run["id"])


def test_a_run_is_started_from_the_page_watched_browsed_and_downloaded(
    show: Show, photos: Path, check_accessible: Check
) -> None:
    page = show("#/runs")
    page.get_by_role("link", name="Start a run").click()
    expect(page.locator("main h1")).to_have_text("Start a run")
    check_accessible(page)
    run_id = start(page, "finder", photos, name="my photos")
    state(page, "succeeded")
    expect(page.locator("main h1")).to_have_text("my photos")
    expect(page.get_by_text("7 of 7 rows (100 %)")).to_be_visible()
    failed = page.get_by_role("table", name="The first rows that failed").get_by_role("row").last
    expect(failed).to_contain_text("the stub was asked to reject this row")
    expect(failed.get_by_alt_text(re.compile("refused.png"))).to_be_visible()
    expect(page.get_by_role("table", name=re.compile("^Labels"))).to_be_visible()
    check_accessible(page)
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download", exact=True).click()
    assert len(lines_of(taken.value.path(), "annotations.jsonl")) == 6
    field(page, "download").select_option("csv")
    with page.expect_download(timeout=120_000) as taken:
        page.get_by_role("button", name="Download", exact=True).click()
    assert len(lines_of(taken.value.path(), "annotations.csv")) > 6
    page.goto(page.url.split("#")[0] + "#/runs")
    line = page.get_by_role("table", name="Runs, the newest first").get_by_role("row")
    mine = line.filter(has=page.locator(f'a[href="#/runs/{run_id}"]'))
    expect(mine).to_contain_text("succeeded")
    check_accessible(page)


def test_a_box_is_where_the_answer_says_though_the_picture_is_a_small_one(
    show: Show, annotated: str, photos: Path, check_accessible: Check
) -> None:
    page = show(f"#/runs/{annotated}/rows")
    expect(cards(page)).to_have_count(7)
    left, top, right, bottom = (edge / EDGE for edge in one_box(1)[1])
    small = card(page, r"1\.png").locator("answer-still")
    for where in (small, None):
        if where is None:
            card(page, r"1\.png").get_by_role("button").click()
            where = page.get_by_role("dialog").locator("answer-picture")
            expect(where).to_contain_text(f"{EDGE} × {EDGE} pixels")
        page.wait_for_function(
            "(view) => view.querySelector('.answer-over').width > 50", arg=where.element_handle()
        )
        page.evaluate("() => new Promise(requestAnimationFrame)")
        for x, y in (((left + right) / 2, bottom), (right, (top + bottom) / 2)):
            found = at(where, x, y)[:3]
            assert all(abs(a - b) < 3 for a, b in zip(found, _BLUE, strict=True)), found
        assert at(where, (left + right) / 2, (top + bottom) / 2)[3] == 0
    check_accessible(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(card(page, r"1\.png").get_by_role("button")).to_be_focused()
    check_accessible(page)


def test_rows_are_filtered_by_label_score_and_failure(
    show: Show, http: httpx.Client, annotated: str
) -> None:
    rows = http.get(f"/v2/runs/{annotated}/rows?limit=100").json()["rows"]
    answered = [row for row in rows if row["state"] == "answered"]
    label = answered[0]["labels"][0]["label"]
    page = show(f"#/runs/{annotated}/rows")
    expect(cards(page)).to_have_count(len(rows))
    field(page, "label").select_option(label)
    having = [r for r in answered if label in [one["label"] for one in r["labels"]]]
    expect(cards(page)).to_have_count(len(having))
    field(page, "label").select_option("")
    middle = sorted(row["score"] for row in answered)[3]
    field(page, "min_score").fill(str(middle))
    field(page, "min_score").press("Enter")
    expect(cards(page)).to_have_count(len([r for r in answered if r["score"] >= middle]))
    page.get_by_role("link", name="Clear").click()
    field(page, "failed").select_option("1")
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text("the stub was asked to reject this row")
    expect(cards(page).get_by_alt_text("The picture sent")).to_be_visible()
    assert page.url.endswith("/rows?failed=1")


def test_rows_are_gone_through_by_keyboard(show: Show, annotated: str) -> None:
    page = show(f"#/runs/{annotated}/rows")
    expect(cards(page)).to_have_count(7)
    buttons = page.locator(".sheet-open")
    buttons.first.focus()
    page.keyboard.press("ArrowRight")
    expect(buttons.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(buttons.last).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    first = dialog.get_by_role("heading").first
    name = first.inner_text()
    page.keyboard.press("ArrowRight")
    expect(first).not_to_have_text(name)
    page.keyboard.press("ArrowLeft")
    expect(first).to_have_text(name)


def test_two_runs_stand_side_by_side_where_they_disagree_first(
    show: Show, annotated: str, check_accessible: Check
) -> None:
    page = show(f"#/runs/{annotated}")
    page.get_by_role("link", name="Clone…").click()
    expect(page.locator("main h1")).to_have_text("Clone photos")
    field(page, "model").select_option("other-finder")
    field(page, "name").fill("photos, again")
    page.get_by_text("Parameters", exact=True).click()
    field(page, "threshold").fill("0.6")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(lambda url: "run_" in url and annotated not in url)
    state(page, "succeeded")
    expect(page.get_by_text("Cloned from")).to_be_visible()
    part(page, "Beside another run")
    field(page, "with").select_option(annotated)
    expect(page.get_by_text("Rows compared")).to_be_visible()
    told = [
        float(found.replace(" %", ""))
        for found in re.findall(r"agree ([\d.]+ %)", "\n".join(cards(page).all_inner_texts()))
    ]
    assert told
    assert told == sorted(told)
    check_accessible(page)
    cards(page).first.get_by_role("button").click()
    expect(page.get_by_role("dialog").get_by_role("region")).to_have_count(2)


def test_a_sample_is_looked_at_before_the_rest(show: Show, photos: Path) -> None:
    page = show("#/runs/new")
    start(page, "finder", photos, sample="2")
    state(page, "held")
    expect(page.get_by_text("Held after the sample.")).to_be_visible()
    page.get_by_role("link", name="Look at them").click()
    expect(cards(page)).to_have_count(2)
    page.get_by_role("button", name="Go on with the rest").click()
    state(page, "succeeded")
    expect(cards(page)).to_have_count(7)


def test_a_samples_report_and_the_least_sure_rows_are_taken(
    show: Show, photos: Path, tmp_path: Path
) -> None:
    page = show("#/runs/new")
    start(page, "finder", photos, sample="3")
    state(page, "held")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Report of the sample").click()
    assert "<dt>rows</dt><dd>3</dd>" in taken.value.path().read_text()
    page.get_by_label("Least sure rows").fill("2")
    page.get_by_label("Media prefix").fill("/data/local-files/?d=")
    page.get_by_label("In turns by label").check()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Take for Label Studio").click()
    taken.value.save_as(tmp_path / "picks.json")
    tasks = json.loads((tmp_path / "picks.json").read_text())
    assert len(tasks) == 2
    assert all(task["data"]["image"].startswith("/data/local-files/?d=") for task in tasks)
    assert all(len(task["predictions"]) == 1 for task in tasks)


def test_a_run_is_paused_goes_on_is_canceled_tried_again_and_forgotten(
    show: Show, hold: Path, tmp_path: Path
) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": f"text {n}"}) + "\n" for n in range(40)))
    hold.touch()
    page = show("#/runs/new")
    run_id = start(page, "held", [texts])
    state(page, "running")
    page.get_by_role("button", name="Pause").click()
    state(page, "paused")
    page.get_by_role("button", name="Go on").click()
    state(page, "running")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel it").click()
    hold.unlink()
    state(page, "canceled")
    page.get_by_role("button", name="Retry").click()
    state(page, "succeeded")
    expect(page.get_by_text("40 of 40 rows (100 %)")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    page.get_by_role("button", name="Forget…").click()
    page.get_by_role("button", name="Forget it").click()
    expect(page.locator("main h1")).to_have_text("Data sets")
    expect(page.locator(f'a[href="#/runs/{run_id}"]')).to_have_count(0)


def test_a_folder_is_followed_until_somebody_says_that_it_is_enough(
    show: Show, watched: Path, check_accessible: Check
) -> None:
    (watched / "first.png").write_bytes(one_box(0)[0])
    page = show("#/runs/new")
    field(page, "model").select_option("finder")
    page.get_by_label("A place that the fleet reads").check()
    field(page, "source").fill(str(watched))
    field(page, "follow").check()
    field(page, "follow_for_s").fill("3600")
    check_accessible(page)
    page.get_by_role("button", name="Start the run").click()
    notice = page.get_by_role("status").filter(has_text="Following its source")
    expect(notice).to_contain_text("1 file so far", timeout=60_000)
    (watched / "second.png").write_bytes(one_box(1)[0])
    expect(notice).to_contain_text("2 files so far", timeout=60_000)
    state(page, "running")
    check_accessible(page)
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download so far").click()
    lines = caught.value.path().read_text().splitlines()
    assert json.loads(lines[0])["id"] == "first.png"
    page.get_by_role("button", name="Finish").click()
    state(page, "succeeded")
    clone(page)
    expect(field(page, "follow")).to_be_checked()
    expect(field(page, "follow_for_s")).to_have_value("3600")
    field(page, "follow").uncheck()
    begin(page)
    state(page, "succeeded")
    expect(page.get_by_text("2 of 2 rows (100 %)")).to_be_visible()


def clone(page: Page) -> None:
    page.get_by_role("link", name="Clone…").click()
    expect(page.locator("main h1")).to_have_text(re.compile("^Clone "))


def begin(page: Page) -> None:
    """Send the form; the page of another run comes."""
    before = page.url
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(lambda url: "#/runs/run_" in url and url != before)


def test_a_data_base_is_asked_for_its_query_which_a_clone_keeps(
    show: Show, watched: Path, check_accessible: Check
) -> None:
    with closing(sqlite3.connect(watched / "reviews.db")) as made:
        made.execute("CREATE TABLE reviews (id INTEGER PRIMARY KEY, text TEXT)")
        made.executemany("INSERT INTO reviews (text) VALUES (?)", [(f"no {n}",) for n in range(9)])
        made.commit()
    page = show("#/runs/new")
    field(page, "model").select_option("held")
    page.get_by_label("A place that the fleet reads").check()
    expect(field(page, "query")).to_have_count(0)
    field(page, "source").fill(str(watched / "reviews.db"))
    field(page, "query").fill("SELECT id, text FROM reviews WHERE id > 2")
    field(page, "order_by").fill("id")
    page.get_by_text("Limits and reuse").click()
    field(page, "reuse").check()
    check_accessible(page)
    begin(page)
    state(page, "succeeded")
    expect(page.get_by_text("7 of 7 rows (100 %)")).to_be_visible()
    expect(page.get_by_text("SELECT id, text FROM reviews WHERE id > 2")).to_be_visible()
    expect(page.get_by_text("no: all rows are computed")).to_be_visible()
    clone(page)
    expect(field(page, "order_by")).to_have_value("id")
    field(page, "query").fill("SELECT id, text FROM reviews WHERE id > 4")
    page.get_by_text("Limits and reuse").click()
    field(page, "reuse").uncheck()
    begin(page)
    state(page, "succeeded")
    expect(page.get_by_text("5 of 5 rows (100 %)")).to_be_visible()
    expect(page.get_by_text("known from before, not computed again")).to_be_visible()


#: What a run of films may have been asked beside what the first tests ask, but its webhook.
ASKED: dict[str, Any] = {
    "source": "s3://allowed/films/",
    "model": "finder",
    "format": "yolo",
    "name": "films",
    "parameters": {"threshold": 0.4},
    "columns": {"id": "key", "fields": {"images": "file"}},
    "every": 0.5,
    "frames": None,
    "split": {"val": 0.1, "test": 0.2},
    "images": "copy",
    "media_prefix": "/data/?d=",
    "overwrite": True,
    "shard_rows": 200,
    "max_errors": 0,
    "max_device_seconds": 50,
    "deadline_s": 7200,
    "kept_s": 3600,
    "priority": 4,
    "sample": 9,
    "metadata": {"for": "a test", "by": "us=we"},
    "reuse": False,
    "near_duplicates": True,
}


def summary(page: Page, title: str) -> Locator:
    """What opens a part of the form."""
    return page.locator("summary").filter(has_text=title)


def cloned(page: Page, sent: list[dict[str, Any]]) -> None:
    """Send the form of a clone; what it asks is held, and a run made of it."""

    def made(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or ""))
        route.fulfill(json={"id": ID})

    page.route(re.compile(rf"/v2/runs/{ID}/clone"), made)
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(rf"#/runs/{ID}$"))


def test_all_that_a_run_was_asked_is_told_and_stands_in_the_form_of_a_clone(
    show: Show, page: Page, check_accessible: Check
) -> None:
    tell(page, **ASKED, version="3", follow=None, webhook_host="hooks.example.org")
    show(f"#/runs/{ID}")
    told = page.get_by_role("region", name="What it does")
    for words in (
        *("id of key, images of file", "a frame every 500 ms", "val 10 %, test 20 %", "copy"),
        *("a row failed, or it used over 50 s of devices, or it took over 2 h", "/data/?d="),
        *("1 h after its end", "us=we", "is replaced", "hooks.example.org"),
    ):
        expect(told).to_contain_text(words)
    check_accessible(page)
    clone(page)
    for title in ("Limits and reuse", "Where and how it writes", "At its end"):
        summary(page, title).click()
    expect(summary(page, "Limits and reuse")).to_contain_text("(6 set)")
    expect(field(page, "kept_s")).to_have_value("3600")
    expect(field(page, "split")).to_have_value("val=0.1, test=0.2")
    expect(page.get_by_text("as before. The rest of that URL")).to_be_visible()
    check_accessible(page)
    sent: list[dict[str, Any]] = []
    cloned(page, sent)
    assert {name: value for name, value in ASKED.items() if value is not None}.items() <= (
        sent[0].items()
    )
    assert "webhook" not in sent[0], "it is as before"
    clone(page)
    for title in ("Limits and reuse", "Films and documents", "At its end"):
        summary(page, title).click()
    for name in ("max_errors", "deadline_s", "every", "kept_s", "metadata", "sample"):
        field(page, name).fill("")
    field(page, "called").check()
    cloned(page, sent)
    empty = {"max_errors": None, "deadline_s": None, "every": None, "kept_s": None, "sample": 0}
    assert {**empty, "metadata": {}, "webhook": ""}.items() <= sent[1].items()
    assert sent[1]["split"] == ASKED["split"]


def test_inputs_under_either_of_their_names_are_in_a_clone(
    show: Show, page: Page, http: httpx.Client
) -> None:
    task = http.get("/v2/tasks/text-classification").json()
    own = next(one for one in task["inputs"] if one["field"] != one["name"])
    for name in (own["name"], own["field"]):
        tell(page, model="held", task=task["name"], format="csv", inputs={name: "one for all"})
        show(f"#/runs/{ID}")
        clone(page)
        expect(field(page, f"input-{own['name']}")).to_have_value("one for all")
        sent: list[dict[str, Any]] = []
        cloned(page, sent)
        assert sent[0]["inputs"] == {own["field"]: "one for all"}


def test_what_a_run_waits_for_is_told(show: Show, page: Page, check_accessible: Check) -> None:
    waits = {"step": "merge", "reason": "/data: no space left", "since": "2026-01-01T00:00:00.000Z"}
    tell(page, state="merging", ended_at=None, output=None, waiting_for=waits)
    show(f"#/runs/{ID}")
    told = page.get_by_role("status").filter(has_text="It waits")
    expect(told).to_contain_text("(merge): /data: no space left")
    check_accessible(page)


def test_a_run_whose_output_could_not_be_written_is_taken_all_the_same(
    show: Show, page: Page, check_accessible: Check
) -> None:
    error = {"error_type": "unavailable", "message": "/data/x.json: no space left"}
    tell(page, state="failed", output=None, error=error)
    asked: list[str] = []

    def making(route: Route) -> None:
        asked.append(route.request.url.rpartition("?")[2])
        route.fulfill(status=202, json={}, headers={"Retry-After": "600"})

    page.route(re.compile(rf"/v2/runs/{ID}/output"), making)
    show(f"#/runs/{ID}")
    expect(field(page, "download")).to_have_value("coco-detection")
    check_accessible(page)
    page.get_by_role("button", name="Download", exact=True).click()
    expect(page.get_by_role("button", name="A worker makes it…")).to_be_disabled()
    assert asked == ["format=coco-detection"]


def test_those_that_do_runs_are_workers_of_the_fleet(show: Show) -> None:
    page = show("#/fleet")
    head = page.get_by_role("rowheader", name=re.compile("^runs-"))
    row = page.get_by_role("table", name="Workers").get_by_role("row").filter(has=head)
    expect(row).to_contain_text("ready")
    expect(page.locator(".fleet-totals")).to_contain_text("Run workers")


def test_a_zip_is_a_data_set(show: Show, photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as held:
        for file in sorted(photos.rglob("*.png")):
            held.write(file, file.relative_to(photos))
    page = show("#/runs/new")
    start(page, "finder", [archive])
    state(page, "succeeded")
    expect(page.get_by_text("7 of 7 rows (100 %)")).to_be_visible()


def test_a_run_that_failed_counts_no_rows_any_more(show: Show, tmp_path: Path) -> None:
    table = tmp_path / "of_nothing.csv"
    table.write_text("colour,weight\nred,1\n")
    page = show("#/runs/new")
    start(page, "finder", [table])
    state(page, "failed")
    expect(page.get_by_text("no rows", exact=True)).to_be_visible()
    expect(page.get_by_text("counting the rows")).to_have_count(0)


def test_what_is_missing_or_not_allowed_is_said_before_anything_runs(
    show: Show, heard: list[str]
) -> None:
    page = show("#/runs/new")
    expect(page.get_by_role("button", name="Start the run")).to_be_disabled()
    field(page, "model").select_option("finder")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a folder or files")
    page.get_by_label("A place that the fleet reads").check()
    field(page, "source").fill("s3://not-allowed/here/")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("alert")).to_contain_text("s3://not-allowed/here/")
    heard.clear()  # the refusal that it asked for


def test_an_unknown_run_says_so(show: Show, heard: list[str]) -> None:
    page = show("#/runs/run_nope")
    expect(page.get_by_text("There is no such run, or its time is over")).to_be_visible()
    heard.clear()  # the 404 that it asked for
