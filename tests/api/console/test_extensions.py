"""Drawings of answers that other packages bring to the console."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import httpx
import pytest

from wherry.tasks import entry_points


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package that draws the task `origami`, beside one that is broken."""
    folder = tmp_path / "origami_console"
    folder.mkdir()
    (folder / "__init__.py").write_text("SECRET = 1\n")
    (folder / "answer.js").write_text("export default () => 'folded';\n")
    points = {
        "origami": EntryPoint("origami", "origami_console", "wherry.console"),
        "kites": EntryPoint("kites", "no_such_module", "wherry.console"),
    }
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(entry_points, "installed", lambda _: points)
    return folder


@pytest.mark.usefixtures("package")
def test_the_console_is_told_which_module_draws_a_task(http: httpx.Client) -> None:
    listed = http.get("/console/extensions.json")
    assert listed.json() == {
        "kites": "extensions/kites/answer.js",
        "origami": "extensions/origami/answer.js",
    }
    module = http.get("/console/" + listed.json()["origami"])
    assert (module.status_code, module.text) == (200, "export default () => 'folded';\n")
    assert "javascript" in module.headers["Content-Type"]
    assert "script-src 'self'" in module.headers["Content-Security-Policy"]
    again = http.get(module.url, headers={"If-None-Match": module.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    "path",
    [
        "origami/__init__.py",
        "origami/none.js",
        "origami/..%2f..%2fanswer.js",
        "kites/answer.js",
        "planes/answer.js",
    ],
)
def test_nothing_else_of_a_package_is_served(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/console/extensions/{path}")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "not_found")
    assert "SECRET" not in answer.text
    assert "no_such_module" not in answer.text
