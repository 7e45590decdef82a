"""The list of models, and a model's card."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from wherry.client import Client
from wherry.ops.demo.inputs import digits
from wherry.tasks.registry import task_names
from wherry.tasks.vision.image_classification import ImageClassificationInput

Show = Callable[[str], Page]
Check = Callable[[Page], None]


def test_every_model_is_listed_with_its_state(show: Show, check_accessible: Check) -> None:
    page = show("#/models")
    cards = page.locator(".models-card")
    expect(cards).to_have_count(len(task_names()))
    expect(page.get_by_role("status").first).to_have_text(
        re.compile(rf"^{len(task_names())} models, \d+ ready$")
    )
    card = cards.filter(has=page.get_by_role("link", name="image-classification", exact=True))
    expect(card.locator(".badge")).to_have_text("ready")
    check_accessible(page)


def test_a_search_leaves_what_is_like_it_and_stays_in_the_address(show: Show) -> None:
    page = show("#/models")
    page.get_by_role("searchbox").fill("zero shot")
    page.get_by_label("Family").select_option("text")
    names = page.locator(".models-card h3 a")
    expect(names).to_have_text(["zero-shot-classification"])
    assert "search=zero+shot" in page.url
    page.reload()
    expect(names).to_have_text(["zero-shot-classification"])
    page.get_by_role("searchbox").fill("no such thing")
    expect(page.locator(".empty")).to_have_text("No model is like that.")


def test_a_model_that_works_has_its_rows_counted(show: Show, client: Client) -> None:
    page = show("#/models/image-classification")
    rows = page.locator("dt", has_text="Rows so far").locator("xpath=following-sibling::dd[1]")
    expect(rows).to_have_text(re.compile(r"^[\d,]+$"))
    before = int(rows.inner_text().replace(",", ""))
    pictures = [one.data for one in digits(6)]
    job = client.submit("image-classification", ImageClassificationInput(images=pictures))
    client.result(job.id, timeout_s=60)
    expect(rows).to_have_text(f"{before + 6:,}")
    rate = page.locator("dt", has_text="Rows a second").locator("xpath=following-sibling::dd[1]")
    expect(rate).to_have_text(re.compile(r"^[0-9.]+$"))
    expect(rate).not_to_have_text("0")


@pytest.mark.parametrize("name", ["image-classification", "chat", "mask-generation"])
def test_a_card_says_what_the_model_takes_and_gives(
    show: Show, check_accessible: Check, fleet_url: str, name: str
) -> None:
    declared = httpx.get(f"{fleet_url}/v2/models/{name}").json()
    page = show(f"#/models/{name}")
    card = page.locator(".model-card")
    for tensor in (*declared["inputs"], *declared["outputs"]):
        row = card.get_by_role("row").filter(
            has=page.get_by_role("rowheader", name=tensor["name"], exact=True)
        )
        expect(row.first).to_contain_text(tensor["datatype"])
    for parameter in declared["parameters"]["request_parameters"]:
        expect(card.get_by_role("rowheader", name=parameter, exact=True)).to_be_visible()
    card.get_by_text("Golden example").click()
    expect(card.get_by_label("the example's request", exact=True)).to_contain_text('"inputs"')
    check_accessible(page)


def test_an_unknown_model_says_so(show: Show, heard: list[str]) -> None:
    page = show("#/models/no-such-model")
    expect(page.get_by_role("alert")).to_contain_text("no-such-model")
    assert all("404" in line for line in heard)
    heard.clear()
