"""The sheet of a run of a hundred thousand rows: what the browser has of it, what it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from wherry.ops.stack import Stack

from ..support.models import model
from . import told_run

Show = Callable[[str], Page]

#: Scroll by so many screens, waiting for rows when the end of those that are read is met.
_SCROLL = """async (rows) => {
  const sheet = document.querySelector(".sheet");
  const count = () => Number(sheet.querySelector("li").getAttribute("aria-setsize"));
  while (count() < rows) {
    sheet.scrollTop = sheet.scrollHeight;
    await new Promise(requestAnimationFrame);
  }
  return count();
}"""


@pytest.fixture(scope="module")
def fleet_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fleet of one stub: it serves the page, and the task's declaration."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "models.toml").write_text(model("embedding"))
    with Stack(models=folder / "models.toml", data_dir=folder, flower=False) as stack:
        yield stack.url


@pytest.fixture
def sheet(page: Page, show: Show) -> Callable[[str], Page]:
    """Open the told run's rows."""
    told_run.tell(page)

    def shown(query: str = "") -> Page:
        return show(f"#/runs/{told_run.ID}/rows{query}")

    return shown


def test_of_a_hundred_thousand_rows_the_browser_has_those_in_sight(
    sheet: Callable[..., Page],
) -> None:
    page = sheet()
    cards = page.locator(".sheet-card")
    expect(cards.first).to_contain_text("000000.png")
    assert page.evaluate(_SCROLL, 5_000) >= 5_000
    assert cards.count() < 80
    expect(cards.last.locator("canvas, .answer-error").first).to_be_attached()
    page.locator(".sheet").evaluate("(sheet) => sheet.scrollTo(0, 0)")
    expect(page.get_by_role("button", name=re.compile("000000.png"))).to_be_visible()
    expect(cards.first.locator("canvas").first).to_be_attached()  # its page was read anew


def test_who_comes_back_finds_the_rows_that_were_looked_at(sheet: Callable[..., Page]) -> None:
    page = sheet()
    expect(page.locator(".sheet-card").first).to_contain_text("000000.png")
    page.evaluate(_SCROLL, 300)
    page.locator(".sheet").evaluate("(sheet) => sheet.scrollTo(0, 3000)")
    first = page.locator(".sheet-card").first
    expect(first).not_to_contain_text("000000.png")
    name = first.locator(".sheet-name").inner_text()
    parts = page.get_by_role("navigation", name="Of this run")
    parts.get_by_role("link", name="How it goes").click()
    expect(page.get_by_role("heading", name="Progress")).to_be_visible()
    parts.get_by_role("link", name="Rows").click()
    expect(first.locator(".sheet-name")).to_have_text(name)


def test_cards_are_as_large_as_one_likes_and_stay_so(sheet: Callable[..., Page]) -> None:
    page = sheet()
    cards = page.locator(".sheet-card")
    expect(cards.first).to_be_visible()
    widths = []
    for name in ("Small", "Large"):
        page.get_by_role("button", name=name, exact=True).click()
        box = cards.first.bounding_box()
        assert box
        widths.append(box["width"])
    assert widths[0] * 1.5 < widths[1]
    page.reload()
    expect(page.get_by_role("button", name="Large", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_counts_lead_to_their_rows(show: Show, page: Page) -> None:
    told_run.tell(page)
    page = show(f"#/runs/{told_run.ID}")
    page.get_by_role("link", name="star", exact=True).click()
    expect(page.locator("[name=label]")).to_have_value("star")
    page.go_back()
    page.get_by_role("link", name=re.compile(r"^0\.9 to 0\.95: ")).click()
    expect(page.locator("[name=min_score]")).to_have_value("0.9")
    expect(page.locator("[name=max_score]")).to_have_value("0.95")


def test_quality_stands_on_the_runs_page(
    show: Show, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    told_run.tell(page)
    page = show(f"#/runs/{told_run.ID}")
    expect(page.get_by_role("list", name="Rows that differ").get_by_role("listitem")).to_have_text(
        "rows 40,000 to 42,499: 'star' 94%, elsewhere 8%"
    )
    columns = page.locator(".run-columns").first.locator("> div")
    expect(columns).to_have_count(40)
    heights = columns.nth(16).locator("span").evaluate_all("all => all.map(s => s.offsetHeight)")
    assert max(heights) > 80  # of 112 pixels: the stars
    expect(columns.nth(16)).to_have_attribute("title", re.compile("star 92 %"))
    alike = page.get_by_role("region", name="Pictures that look alike")
    expect(alike.get_by_text("90 of 25,000 pictures")).to_be_visible()
    expect(alike.locator("img:visible").first).to_be_visible()
    expect(alike.get_by_text("none is kept").first).to_be_visible()
    expect(alike.get_by_text("2 more groups of 14")).to_be_visible()
    beside = page.get_by_role("region", name="Beside an earlier one")
    expect(beside.get_by_text("81 %")).to_be_visible()
    beside.get_by_text("First labels of one").click()
    expect(beside.get_by_role("cell", name="700")).to_be_visible()
    expect(page.get_by_role("cell", name="000007.png, 000057.png")).to_be_visible()
    page.get_by_text("As a table").last.click()
    check_accessible(page)


#: A label as a model may have it: the address, the page and the API take it as it is.
LABEL = " a&b=c?d#e%20f\u202e<b>\n"


def test_rows_behind_many_that_a_filter_leaves_out_are_found(show: Show, page: Page) -> None:
    """The API looks through so many rows a call; it may then have found none, and goes on."""
    asked: list[str] = []

    def rows(route: Route) -> None:
        asked.append(parse_qs(urlsplit(route.request.url).query).get("after", [""])[0])
        if len(asked) < 3:
            route.fulfill(json={"rows": [], "after": f"0.{len(asked)}2000"})
        else:
            route.fulfill(json={"rows": [told_run.row(36_001)], "after": None})

    told_run.tell(page)
    page.route(re.compile(rf"/v2/runs/{told_run.ID}/rows\?"), rows)
    page = show(f"#/runs/{told_run.ID}/rows?min_score=0.42&max_score=0.43")
    expect(page.locator(".sheet-card")).to_contain_text("036001.png")
    assert asked == ["", "0.12000", "0.22000"]


def test_a_label_is_asked_for_as_it_is(show: Show, page: Page) -> None:
    asked: list[str] = []

    def rows(route: Route) -> None:
        asked.append(parse_qs(urlsplit(route.request.url).query).get("label", [""])[0])
        route.fulfill(json={"rows": [told_run.row(0)], "after": None})

    told_run.tell(page)
    page.route(
        re.compile(rf"/v2/runs/{told_run.ID}(\?|$)"),
        lambda route: route.fulfill(json=told_run.view(labels={LABEL: 3, "other": 2})),
    )
    page.route(re.compile(rf"/v2/runs/{told_run.ID}/rows\?"), rows)
    page = show(f"#/runs/{told_run.ID}/rows")
    choice = page.locator("main [name=label]")
    choice.select_option(index=1)
    expect(page.get_by_role("link", name="Clear")).to_be_visible()
    page.reload()
    expect(choice).to_have_value(LABEL)
    expect(page.locator(".sheet-card")).to_have_count(1)
    assert asked[0] == ""
    assert set(asked[1:]) == {LABEL}
    page.get_by_role("navigation").get_by_role("link", name="How it goes").click()
    page.get_by_role("table", name=re.compile("^Labels")).get_by_role("link").first.click()
    expect(choice).to_have_value(LABEL)


def test_a_name_without_an_end_leaves_its_card_whole(show: Show, page: Page) -> None:
    name = f"{'long-' * 60}\u202egnp.exe.png"
    told_run.tell(page)
    page.route(
        re.compile(rf"/v2/runs/{told_run.ID}/rows\?"),
        lambda route: route.fulfill(json={"rows": [told_run.row(0) | {"id": name}], "after": None}),
    )
    page = show(f"#/runs/{told_run.ID}/rows")
    card = page.locator(".sheet-card")
    expect(card.locator("canvas >> nth=0")).to_be_visible()  # drawn once its picture is there
    whole = card.bounding_box()
    assert whole
    for part in (".sheet-score", "canvas >> nth=0"):
        box = card.locator(part).bounding_box()
        assert box
        assert box["x"] + box["width"] <= whole["x"] + whole["width"], part


def test_a_run_that_is_forgotten_meanwhile_is_said_to_be_gone(
    show: Show, page: Page, heard: list[str]
) -> None:
    told_run.tell(page)
    page = show(f"#/runs/{told_run.ID}/rows")
    expect(page.locator(".sheet-card").first).to_be_visible()
    page.route(
        re.compile(rf"/v2/runs/{told_run.ID}[/?]?"),
        lambda route: route.fulfill(status=404, json={"error": "no run", "code": "not_found"}),
    )
    page.locator("main [name=failed]").select_option("1")
    expect(page.get_by_text("There is no such run")).to_be_visible()
    heard.clear()  # the 404s
