"""Batches: one is started from the page, watched, its failed lines read, its answers taken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

Show = Callable[[str], Page]
Check = Callable[[Page], None]

URL = "/v2/models/embedding/infer"


def line(number: int, **tensor: object) -> str:
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [f"text {number}"]}
    body = {"inputs": [{**text, **tensor}]}
    return json.dumps({"custom_id": f"row-{number}", "method": "POST", "url": URL, "body": body})


def send(page: Page, file: Path, lines: list[str]) -> None:
    file.write_text("\n".join(lines))
    page.get_by_text("New batch").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_label("Endpoint").fill(URL)
    page.get_by_role("button", name="Start it").click()
    page.wait_for_url(re.compile(r"#/batches/batch_"))


def test_one_is_started_watched_and_its_answers_taken(
    show: Show, tmp_path: Path, check_accessible: Check
) -> None:
    page = show("#/batches")
    bad = line(2, name="no-such-tensor")
    send(page, tmp_path / "in.jsonl", [line(0), line(1), bad])
    expect(page.locator(".card .badge")).to_have_text("completed")
    faults = page.get_by_role("table", name="Lines that failed")
    expect(faults.get_by_role("row").filter(has_text="row-2")).to_contain_text("no-such-tensor")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Answers").click()
    answers = [json.loads(text) for text in taken.value.path().read_text().splitlines()]
    assert [answer["custom_id"] for answer in answers] == ["row-0", "row-1"]
    assert answers[0]["response"]["body"]["outputs"][0]["name"] == "embedding"
    check_accessible(page)
    page.get_by_role("link", name="Data sets").last.click()
    rows = page.get_by_role("table", name="Batches, the newest first").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("3 of 3 lines")
    check_accessible(page)


def test_a_file_with_a_wrong_line_says_which(show: Show, tmp_path: Path) -> None:
    page = show("#/batches")
    send(page, tmp_path / "in.jsonl", [line(0), "no JSON"])
    expect(page.locator(".card .badge")).to_have_text("failed")
    wrong = page.get_by_role("table", name="What is wrong with the file")
    expect(wrong.get_by_role("row").nth(1)).to_contain_text("invalid_json_line")
