"""What a widget shows to copy: as a shell and as Python run it, it answers what the page shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from wherry.client import Client
from wherry.protocol import v2

Show = Callable[[str], Page]

#: What a shell, a format or a here-document might take for its own.
ODD = 'It\'s "5 $HOME" `each`\\n % {x}\nJSON\né 🚣'


def code(page: Page, form: str) -> str:
    """The code of one form, copied."""
    if not page.locator(".widget-code[open]").count():
        page.get_by_text("This request as code").click()
    page.get_by_role("button", name=form, exact=True).click()
    page.locator(".widget-code").get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").first.wait_for()
    copied: str = page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Close").first.click()
    return copied


def curled(command: str, folder: Path) -> v2.InferenceResponse:
    """What a shell is answered."""
    done = subprocess.run(
        ["bash", "-eu", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return v2.InferenceResponse.model_validate_json(done.stdout)


def told(program: str, folder: Path) -> str:
    """What Python prints."""
    environment = {"PATH": os.environ["PATH"], "WHERRY_API_KEY": ""}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_text_with_odd_characters_arrives_as_it_was_written(
    show: Show, client: Client, tmp_path: Path
) -> None:
    page = show("#/models/zero-shot-classification")
    page.locator("textarea[name=text]").fill(ODD)
    page.locator("textarea[name=candidate_labels]").fill("boats\nit's $1")
    request: dict[str, Any] = json.loads(code(page, "OIP JSON"))
    assert request["inputs"][0]["data"] == [ODD]
    wanted = client.infer("zero-shot-classification", v2.InferenceRequest.model_validate(request))
    found = curled(code(page, "curl"), tmp_path)
    assert isinstance(wanted, v2.InferenceResponse)
    assert found.output("label").texts() == wanted.output("label").texts()
    assert list(found.output("score").flat()) == pytest.approx(list(wanted.output("score").flat()))
    printed = told(code(page, "Python"), tmp_path)
    assert "it's $1" in printed


@pytest.mark.parametrize("name", ["a picture (1).png", "$x`y'z.png"])
def test_a_file_is_read_where_it_lies(show: Show, tmp_path: Path, name: str) -> None:
    page = show("#/models/mask-generation")
    Image.new("RGB", (32, 24), "navy").save(tmp_path / name)
    page.locator("input[type=file]").set_input_files(tmp_path / name)
    page.get_by_role("button", name="Add one in the middle").click()
    command, program = code(page, "curl"), code(page, "Python")
    assert curled(command, tmp_path).output("score").shape == [1, 3]
    assert "masks" in told(program, tmp_path)


def test_an_answer_that_was_shown_is_that_of_its_code(show: Show, tmp_path: Path) -> None:
    page = show("#/models/tabular-classification")
    page.get_by_role("button", name="Use the example").click()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".widget-progress")).to_contain_text("Done in")
    found = curled(code(page, "curl"), tmp_path)
    best = found.output("label").texts()[0]
    expect(page.locator(".widget-answer")).to_contain_text(best)
    assert best in told(code(page, "Python"), tmp_path)
