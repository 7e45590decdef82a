"""What stands around every page."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect


def test_the_first_page_lists_what_is_served(show: Callable[[str], Page]) -> None:
    page = show("")
    expect(page.locator("main h1")).to_have_text("Models")
    expect(page.get_by_role("link", name="Models")).to_have_attribute("aria-current", "page")


def test_an_unknown_page_says_so(show: Callable[[str], Page]) -> None:
    page = show("#/nowhere")
    expect(page.locator("main")).to_contain_text("There is no page “nowhere”")


def test_the_chosen_theme_holds_after_a_reload(show: Callable[[str], Page]) -> None:
    page = show("#/models")
    page.get_by_label("Theme").select_option("dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 26)"
