"""The console in Chromium, before a fleet that serves the sample models.

One fleet and one browser a session. What the page's console says as an error, what its content
policy refuses and what it throws fails the test that it happened in.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples

from .drawn import DRAW, Draw

ROOT = Path(__file__).parents[2]

expect.set_options(timeout=30_000)  # a busy machine draws as well, later

#: Debian's, unless told otherwise.
CHROMIUM = os.environ.get("WHERRY_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"

_AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"


def chromium(playwright: Playwright) -> Browser:
    """Start Chromium, with a camera and a microphone that are played."""
    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # it has none for root
    return playwright.chromium.launch(executable_path=CHROMIUM, args=flags)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All models are built, and every family's worker loads them, before the first test."""
    here = f"{Path(__file__).parent}{os.sep}"
    for item in items:
        if str(item.path).startswith(here):  # of 15,000, with 7 parents each
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def fleet_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a fleet of the sample models answers. WHERRY_BROWSER_FLEET names one that runs."""
    if running := os.environ.get("WHERRY_BROWSER_FLEET"):
        yield running.rstrip("/")
        return
    models = write_samples(ROOT / ".wherry" / "samples")
    folder = tmp_path_factory.mktemp("fleet")
    with Stack(models=models, data_dir=folder, flower=False) as stack:
        yield stack.url


@pytest.fixture(scope="session")
def client(fleet_url: str) -> Iterator[Client]:
    """A client of that fleet."""
    with Client(fleet_url) as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of the test's own: nothing is kept of the one before."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        permissions=["clipboard-read", "clipboard-write", "camera", "microphone"],
        reduced_motion="reduce",
    )
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def heard(context: BrowserContext) -> Iterator[list[str]]:
    """What went wrong on the test's pages; a test that provokes an error takes it out."""
    wrong: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", said)
        page.on("pageerror", lambda error: wrong.append(f"thrown: {error}"))

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":  # what the policy refuses is one too
            wrong.append(f"{message.text} ({message.location.get('url', '')})")

    context.on("page", listen)
    yield wrong
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def page(context: BrowserContext, heard: list[str]) -> Page:  # `heard` listens first
    """An empty page that is listened to."""
    return context.new_page()


@pytest.fixture
def show(page: Page, fleet_url: str) -> Callable[[str], Page]:
    """Open a page of the console by its address, `#/models/embedding`; wait for its heading."""

    def show(address: str = "#/models") -> Page:
        page.goto(f"{fleet_url}/console/{address}")
        page.locator("main h1").first.wait_for()
        return page

    return show


@pytest.fixture
def check_accessible() -> Callable[[Page], None]:
    """Have axe look at a page as it stands, in both themes."""

    def check(page: Page) -> None:
        page.evaluate(_AXE.read_text(encoding="utf-8"))  # from outside, so the policy holds
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            found: list[dict[str, Any]] = page.evaluate(
                "axe.run(document, {resultTypes: ['violations']}).then((all) => all.violations)"
            )
            told = [
                f"{theme}: {rule['id']}: {rule['help']}: {node['html'][:160]}"
                for rule in found
                for node in rule["nodes"]
            ]
            assert not told, "\n".join(told)

    return check


@pytest.fixture
def draw(show: Callable[[str], Page]) -> Draw:
    """Draw an answer alone on a page; the place where it is drawn."""
    page = show("#/nowhere")

    def draw(answer: dict[str, Any]) -> Locator:
        page.evaluate(DRAW, {"task": "none", "model": "m", "row": 0, **answer})
        drawn = page.locator(".answer")
        expect(drawn.get_by_text("Preparing the drawing")).to_have_count(0)
        return drawn

    return draw
