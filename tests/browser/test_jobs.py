"""The list of jobs, a job's page, and dead letters, in a browser over a fleet of stubs."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from wherry.ops.stack import Stack

from . import told_jobs

Show = Callable[[str], Page]
Check = Callable[[Page], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stubs")


@pytest.fixture(scope="module")
def fleet_url(folder: Path) -> Iterator[str]:
    """A fleet of stubs: one is held by a file, one refuses, one kills its worker once a row."""
    once = folder / "once"
    once.mkdir()
    models = folder / "models.toml"
    models.write_text(f"""
        [[models]]
        name = "embedding"
        task = "embedding"
        backend = "stub"
        [[models]]
        name = "picky"
        task = "text-classification"
        backend = "stub"
        parameters = {{ reject_on = "bad" }}
        [[models]]
        name = "poison"
        task = "text-classification"
        backend = "stub"
        parameters = {{ exit_on = "EXIT", exit_once = "{once}" }}
        [[models]]
        name = "held"
        task = "object-detection"
        backend = "stub"
        max_batch_size = 1
        parameters = {{ hold = "{folder / "hold"}" }}
        """)
    env = {"WHERRY_MAX_ATTEMPTS": "1", "WHERRY_LEASE_TTL_S": "3"}
    with Stack(models=models, data_dir=folder, flower=False, env=env) as stack:
        yield stack.url


@pytest.fixture
def hold(folder: Path) -> Iterator[Path]:
    """Holds the model `held` until it is removed."""
    hold = folder / "hold"
    hold.touch()
    yield hold
    hold.unlink(missing_ok=True)


@pytest.fixture
def http(fleet_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet_url, timeout=30) as http:
        http.post("/v2/jobs:forget", json={"ids": [job["id"] for job in listed(http)]})
        yield http


def listed(http: httpx.Client) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = http.get("/v2/jobs?limit=1000").json()["jobs"]
    return jobs


def text(*rows: str) -> dict[str, Any]:
    return {
        "inputs": [{"name": "text", "shape": [len(rows)], "datatype": "BYTES", "data": list(rows)}]
    }


def picture() -> dict[str, Any]:
    file = io.BytesIO()
    Image.new("RGB", (320, 200), "teal").save(file, "PNG")
    tensor = {
        "name": "image",
        "shape": [1],
        "datatype": "BYTES",
        "data": [base64.b64encode(file.getvalue()).decode()],
        "parameters": {"content_type": "base64"},
    }
    return {"inputs": [tensor], "parameters": {"threshold": 0.0}}


def submitted(http: httpx.Client, model: str, body: dict[str, Any]) -> str:
    answer = http.post(f"/v2/models/{model}/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def ended(http: httpx.Client, job_id: str) -> str:
    return str(http.get(f"/v2/jobs/{job_id}?wait=30").json()["status"])


def many(http: httpx.Client, count: int) -> None:
    jobs = [{"model_name": "embedding", "request": text(f"text {n}")} for n in range(count)]
    for at in range(0, count, 500):
        http.post(
            "/v2/jobs:batch",
            json={"jobs": jobs[at : at + 500]},
            headers={"Prefer": "return=minimal"},
        ).raise_for_status()


def rows(page: Page) -> Locator:
    return page.locator(".windowed tbody:not(.space) tr")


def counted(page: Page, count: int) -> None:
    """Wait until the list has so many jobs."""
    table = page.locator(".windowed table")
    expect(table).to_have_attribute("aria-rowcount", str(count + 1), timeout=30_000)


def test_the_list_follows_a_fleet_at_work(
    show: Show, http: httpx.Client, check_accessible: Check
) -> None:
    page = show("#/jobs")
    expect(page.get_by_text("No jobs yet.")).to_be_visible()
    last = submitted(http, "embedding", text("first"))
    row = page.get_by_role("row").filter(has=page.locator(f'a[href="#/jobs/{last}"]'))
    expect(row).to_contain_text("succeeded")
    many(http, 300)
    counted(page, 250)  # more than are told of at once: the newest are read again, the rest when
    page.get_by_role("button", name="Load older jobs").click()  # it comes into sight
    counted(page, 301)
    expect(page.locator(".page-head [role=status]")).to_have_text("301 jobs, live")
    expect(rows(page).first).to_contain_text("succeeded")
    check_accessible(page)
    rows(page).first.get_by_role("link").first.click()
    expect(page.locator("h1.job-id")).to_be_visible()


def test_who_reads_further_down_is_not_moved(show: Show, http: httpx.Client) -> None:
    many(http, 200)
    page = show("#/jobs")
    counted(page, 200)
    page.locator(".windowed").evaluate("(list) => list.scrollTo(0, 2000)")
    expect(page.locator(".windowed .space")).to_have_count(2)
    newest = submitted(http, "embedding", text("new"))
    button = page.get_by_role("button", name="1 new job: show")
    expect(button).to_be_visible()
    counted(page, 200)
    button.click()
    counted(page, 201)
    expect(rows(page).first.locator("a").first).to_have_attribute("href", f"#/jobs/{newest}")


def test_filters_leave_what_they_name(show: Show, http: httpx.Client) -> None:
    bad = submitted(http, "picky", text("bad"))
    good = submitted(http, "picky", text("good"))
    assert (ended(http, bad), ended(http, good)) == ("failed", "succeeded")
    submitted(http, "embedding", text("other"))
    page = show("#/jobs")
    counted(page, 3)
    page.get_by_label("Model").select_option("picky")
    counted(page, 2)
    page.get_by_label("State").select_option("failed")
    counted(page, 1)
    expect(rows(page)).to_contain_text("invalid_row")
    assert page.url.endswith("#/jobs?status=failed&model=picky")
    page.get_by_label("Error type").fill("backend_error")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No job is as these filters want it.")).to_be_visible()
    page.get_by_role("link", name="Clear").click()
    counted(page, 3)
    page.get_by_label("Submitted").select_option("between")
    page.get_by_label("To", exact=True).fill("2020-01-01T00:00")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No job is as these filters want it.")).to_be_visible()


def test_a_job_that_leaves_its_filter_leaves_the_list(
    show: Show, http: httpx.Client, hold: Path
) -> None:
    job_id = submitted(http, "held", picture())
    page = show("#/jobs?status=running")
    counted(page, 1)
    hold.unlink()
    expect(page.get_by_text("No job is as these filters want it.")).to_be_visible()
    assert ended(http, job_id) == "succeeded"


def test_a_job_is_watched_to_its_answer(
    show: Show, http: httpx.Client, hold: Path, check_accessible: Check
) -> None:
    job_id = submitted(http, "held", picture())
    page = show(f"#/jobs/{job_id}")
    state = page.locator(".page-head .badge")
    expect(state).to_have_text("running")
    expect(page.get_by_alt_text("the picture that was sent")).to_be_visible()
    hold.unlink()
    expect(state).to_have_text("succeeded")
    legend = page.locator(".timeline-legend")
    for part in ("Queued", "Decoded", "Waited for the device", "Computed", "Stored"):
        expect(legend).to_contain_text(part)
    expect(page.locator(".timeline-changes li")).to_have_count(3)
    label = http.get(f"/v2/jobs/{job_id}/result").json()["outputs"][0]["data"][0][0]
    expect(page.locator(".answer")).to_contain_text(label)
    check_accessible(page)


def test_a_waiting_job_says_its_place_and_is_canceled(
    show: Show, http: httpx.Client, hold: Path
) -> None:
    waiting = [submitted(http, "held", picture()) for _ in range(8)]
    page = show(f"#/jobs/{waiting[-1]}")
    expect(page.get_by_text(re.compile(r"\d jobs? before it"))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".page-head .badge")).to_have_text("canceled")
    expect(page.get_by_text("There is none: the job was canceled.")).to_be_visible()
    for job_id in waiting:
        http.post(f"/v2/jobs/{job_id}/cancel")


def test_a_failed_job_is_run_again_and_forgotten(show: Show, http: httpx.Client) -> None:
    first = submitted(http, "picky", text("bad"))
    assert ended(http, first) == "failed"
    page = show(f"#/jobs/{first}")
    expect(page.get_by_role("alert")).to_contain_text("invalid_row")
    expect(page.locator(".job-text")).to_have_text("bad")
    page.get_by_role("button", name="Run again").click()
    heading = page.locator("h1.job-id")
    expect(heading).not_to_have_text(first)
    again = heading.inner_text()
    assert ended(http, again) == "failed"
    page.get_by_role("button", name="Forget…").click()
    page.get_by_role("button", name="Forget it").click()
    expect(page.locator("main h1")).to_have_text("Jobs")
    assert http.get(f"/v2/jobs/{again}").status_code == 404


def test_an_unknown_job_says_so(show: Show, heard: list[str]) -> None:
    page = show("#/jobs/nope")
    expect(page.get_by_text("There is no such job, or its time is over")).to_be_visible()
    heard.clear()  # the 404s that it asked for


def test_dead_letters_are_replayed_one_and_all(
    show: Show, http: httpx.Client, check_accessible: Check
) -> None:
    dead = []
    for number in range(3):  # one by one: each kills its worker
        dead.append(submitted(http, "poison", text(f"EXIT {number}")))
        assert ended(http, dead[-1]) == "failed"
    page = show("#/dead")
    letters = page.locator("tbody tr")
    expect(letters).to_have_count(3)
    check_accessible(page)
    page.get_by_role("link", name=dead[0]).click()
    expect(page.get_by_role("alert")).to_contain_text("worker_lost")
    expect(page.locator(".job-text")).to_have_text("EXIT 0")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator(".page-head .badge")).to_have_text("succeeded", timeout=30_000)
    page.goto(page.url.split("#")[0] + "#/dead")
    expect(letters).to_have_count(2)
    page.get_by_role("button", name="Replay all").click()
    page.get_by_role("button", name="Replay them").click()
    expect(page.get_by_text("No dead letters.")).to_be_visible()
    assert [ended(http, job_id) for job_id in dead] == ["succeeded"] * 3


def test_of_ten_thousand_jobs_the_browser_has_those_in_sight(
    show: Show, http: httpx.Client
) -> None:
    page = show("")
    told_jobs.tell(page)
    page = show("#/jobs")
    counted(page, 250)
    page.evaluate(told_jobs.LOAD, told_jobs.JOBS + 1)
    assert rows(page).count() < 80
    last = page.get_by_role("columnheader").last.bounding_box()
    whole = page.locator(".windowed").bounding_box()
    assert last
    assert whole
    assert whole["x"] + whole["width"] - last["x"] - last["width"] < 40, "columns fill the list"
    page.locator(".windowed").evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
    expect(rows(page).last).to_contain_text("000000000001")
    page.locator(".windowed").evaluate("(list) => list.scrollTo(0, 0)")
    many(http, 50)
    counted(page, 10_050)
    assert rows(page).count() < 80
