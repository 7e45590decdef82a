"""The fleet's page: workers, queues, and the last hours as charts."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from wherry.client import Client

Show = Callable[[str], Page]
Check = Callable[[Page], None]

TEXTS = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}


def worked(client: Client) -> None:
    """The fleet has done something, and a keeper has written it down."""
    client.post("/v2/models/embedding/infer", TEXTS)


def choose(page: Page, field: str, value: str) -> None:
    """Choose in the field whose words begin so; its options are words of its label, too."""
    label = page.locator("label.field").filter(has_text=re.compile(rf"^\s*{field}"))
    label.locator("select").select_option(value)


def test_workers_say_what_they_are_and_do(show: Show, client: Client) -> None:
    worked(client)
    page = show("#/fleet")
    head = page.get_by_role("rowheader", name=re.compile("^text-"))
    row = page.get_by_role("table", name="Workers").get_by_role("row").filter(has=head)
    expect(row).to_contain_text("ready")
    expect(row).to_contain_text("cpu")
    expect(row.locator("meter").first).to_have_attribute(
        "aria-label", re.compile(r"^busy: [\d.]+ %$")
    )
    row.get_by_text(re.compile(r"^\d+ served")).click()
    expect(row.get_by_role("link", name="embedding", exact=True)).to_be_visible()


def test_queues_are_told_by_what_one_chooses(show: Show, client: Client) -> None:
    worked(client)
    page = show("#/fleet")
    models = page.get_by_role("table", name="Queues by model")
    row = models.get_by_role("row").filter(
        has=page.get_by_role("link", name="embedding", exact=True)
    )
    expect(row).to_be_visible()
    choose(page, "By", "lane")
    lanes = page.get_by_role("table", name="Queues by lane")
    expect(lanes.get_by_role("row").filter(has_text="Interactive")).to_be_visible()
    expect(lanes.get_by_role("columnheader", name="Due")).to_be_visible()
    assert "by=lane" in page.url
    page.reload()
    expect(lanes).to_be_visible()


def test_charts_show_the_last_hour_and_say_what_to_do(
    show: Show, client: Client, check_accessible: Check
) -> None:
    worked(client)
    page = show("#/fleet")
    rate = page.locator(".fleet-chart").filter(
        has=page.get_by_role("heading", name="Jobs a second")
    )
    expect(rate.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"submitted: now [\d.]+ /s, at most"), timeout=60_000
    )
    expect(rate.locator("canvas")).to_be_visible()
    expect(rate).to_contain_text("Start another worker")
    rate.get_by_text("As a table").click()
    expect(rate.get_by_role("columnheader", name="succeeded")).to_be_visible()
    check_accessible(page)
    choose(page, "Of", "embedding")
    expect(rate.locator(".chart-keys")).to_contain_text("succeeded")
    expect(rate.locator(".chart-keys")).not_to_contain_text("submitted")
    assert "model=embedding" in page.url
    drawn = page.evaluate(
        """() => [...document.querySelectorAll('.fleet-chart canvas')].every((canvas) => {
          const { width, height } = canvas;
          return canvas.getContext('2d').getImageData(0, 0, width, height).data.some(Boolean);
        })"""
    )
    assert drawn, "each chart has something on it"
