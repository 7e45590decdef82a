"""Keys in the browser: the first one, a tenant's, and what each sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from wherry.ops.stack import Stack

from ..support.models import model


@pytest.fixture
def open_url(tmp_path: Path) -> Iterator[str]:
    """A fleet of one stub that has seen no key."""
    models = tmp_path / "models.toml"
    models.write_text(model("embedding"))
    with Stack(models=models, data_dir=tmp_path, flower=False, run_workers=1) as stack:
        yield stack.url


def sign_in(page: Page, key: str, *, keep: bool = False) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_label("Keep it until this tab is closed").set_checked(keep)
    page.get_by_role("button", name="Sign in").click()


def make_key(page: Page, **fields: str) -> str:
    form = page.get_by_role("form", name="New key")
    for name, value in fields.items():
        form.locator(f"[name={name}]").fill(value)
    form.get_by_role("button", name="Make the key").click()
    shown = page.get_by_label("the new key", exact=True)
    expect(shown).to_be_visible()
    return shown.inner_text()


def refusals_only(heard: list[str]) -> None:
    """Take out what the browser says of calls that were refused, as they should be."""
    assert all("401" in line for line in heard), heard
    heard.clear()


def test_keys_are_made_used_and_revoked(
    open_url: str,
    page: Page,
    context: BrowserContext,
    heard: list[str],
    check_accessible: Callable[[Page], None],
) -> None:
    page.goto(f"{open_url}/console/#/access")
    expect(page.get_by_text("This server has no API keys")).to_be_visible()
    check_accessible(page)
    admin = make_key(page, note="mine")
    expect(page.get_by_role("heading", name="Signed in as an admin")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(2)

    page.reload()  # it was kept for the tab
    expect(page.get_by_role("heading", name="Signed in as an admin")).to_be_visible()
    acme = make_key(page, tenant="acme", weight="3", note="for a test")
    assert acme != admin
    row = page.get_by_role("row").filter(has_text="acme")
    expect(row).to_contain_text("submit, read")
    check_accessible(page)

    other = context.new_page()
    other.goto(f"{open_url}/console/#/models")
    expect(other.get_by_role("alert")).to_contain_text("an API key is needed")
    other.get_by_role("alert").get_by_role("link", name="Sign in").click()
    check_accessible(other)
    sign_in(other, "wherry_000000000000_wrong")
    expect(other.get_by_text("unknown, revoked or expired")).to_be_visible()
    sign_in(other, acme)
    expect(other.get_by_role("heading", name="Signed in for acme")).to_be_visible()
    expect(other.get_by_role("heading", name="Keys")).to_have_count(0)
    assert acme not in other.url
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert "wherry_" not in other.evaluate(kept)
    other.get_by_role("link", name="Models").click()
    expect(other.locator(".models-card")).to_have_count(1)
    other.reload()  # it was kept in memory alone
    expect(other.get_by_role("alert")).to_contain_text("an API key is needed")
    refusals_only(heard)

    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    other.goto(f"{open_url}/console/#/access")
    sign_in(other, acme)
    expect(other.get_by_text("unknown, revoked or expired")).to_be_visible()
    refusals_only(heard)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    refusals_only(heard)


def test_a_run_is_its_tenants_and_is_downloaded_with_the_key(
    open_url: str, page: Page, context: BrowserContext, heard: list[str], tmp_path: Path
) -> None:
    page.goto(f"{open_url}/console/#/access")
    make_key(page, note="mine")
    tenants = {}
    for name in ("acme", "zeta"):
        page.reload()
        key = make_key(page, tenant=name)
        tenants[name] = context.new_page()
        tenants[name].goto(f"{open_url}/console/#/access")
        sign_in(tenants[name], key)
        expect(tenants[name].get_by_role("heading", name=f"Signed in for {name}")).to_be_visible()
    acme, zeta = tenants["acme"], tenants["zeta"]
    acme.get_by_role("link", name="Data sets").click()
    acme.get_by_role("link", name="Start a run").click()
    acme.locator("[name=model]").select_option("embedding")
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "a"}\n{"text": "b"}\n')
    acme.locator("input[type=file]:not([webkitdirectory])").set_input_files(texts)
    acme.get_by_role("button", name="Start the run").click()
    acme.wait_for_url(re.compile("#/runs/run_"))
    expect(acme.locator(".page-head .badge")).to_have_text("succeeded", timeout=120_000)
    with acme.expect_download() as taken:
        acme.get_by_role("button", name="Download", exact=True).click()
    assert taken.value.path().read_bytes()[:2] == b"PK"
    zeta.get_by_role("link", name="Data sets").click()
    expect(zeta.get_by_text("No run yet.")).to_be_visible()
    page.goto(f"{open_url}/console/#/runs")
    runs = page.get_by_role("table", name="Runs, the newest first")
    expect(runs.get_by_role("row").last).to_contain_text("acme")
    refusals_only(heard)
