from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wherry.protocol.errors import ModelFailed, RowError
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import Backend
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import Catalog, ModelDeclaration
from wherry.tasks.create import create_task
from wherry.tasks.multimodal.custom import CustomInput, CustomOutput
from wherry.workers.models import Models
from wherry.workers.settings import WorkerSettings

HANDLER = """
from beside import NUMBER

class EndpointHandler:
    def __init__(self, path=""):
        self.path = path

    def __call__(self, data):
        inputs = data.pop("inputs")
        if inputs == "raise":
            raise RuntimeError("a secret")
        if inputs == "exit":
            raise SystemExit(3)
        if inputs == "set":
            return {1, 2}
        if inputs == "nan":
            return float("nan")
        return [{"path": self.path, "inputs": inputs, "rest": data, "number": NUMBER}]
"""


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    """A handlers' directory with one handler, and a handler that lies outside of it."""
    for name in ("trusted/mine", "outside"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "handler.py").write_text(HANDLER)
        (tmp_path / name / "beside.py").write_text("NUMBER = 7")
    return tmp_path / "trusted"


def make(source: str | None, handler_dir: Path | str) -> Backend:
    return create_backend("handler", "custom", source, device=Device(), handler_dir=handler_dir)


def test_it_is_called_with_the_whole_object_row_by_row(trusted: Path) -> None:
    with create_task("handler", "custom", "mine", {"handler_dir": trusted}) as task:
        rows: list[dict[str, Any]] = [{"inputs": "a", "more": [1, None]}, {"inputs": {"b": 2}}]
        output = task.process(CustomInput(data=rows))
    assert isinstance(output, CustomOutput)
    folder = str(trusted / "mine")
    assert output.results == [
        [{"path": folder, "inputs": "a", "rest": {"more": [1, None]}, "number": 7}],
        [{"path": folder, "inputs": {"b": 2}, "rest": {}, "number": 7}],
    ]
    assert rows[0] == {"inputs": "a", "more": [1, None]}, "a handler gets copies"


@pytest.mark.parametrize("bad", ["raise", "exit", "set", "nan"])
def test_a_row_that_fails_fails_alone(trusted: Path, bad: str) -> None:
    made = make("mine", trusted)
    made.load()
    data: list[dict[str, Any]] = [{"inputs": "a"}, {"inputs": bad}, {}, {"inputs": "b"}]
    batch = CustomInput(data=data).rows()
    first, failed, missing, last = made.run(batch)
    assert isinstance(first, CustomOutput)
    assert isinstance(last, CustomOutput)
    assert isinstance(failed, RowError)
    assert isinstance(missing, RowError)
    assert "KeyError" in missing.message
    assert "secret" not in failed.message


def test_it_is_off_until_a_directory_is_named(trusted: Path) -> None:
    with pytest.raises(ValueError, match="WHERRY_HANDLER_DIR"):
        make(str(trusted / "mine"), "")


@pytest.mark.parametrize("source", ["../outside", "mine/../../outside", "{outside}", "..", "/"])
def test_a_folder_elsewhere_is_refused(trusted: Path, source: str) -> None:
    outside = trusted.parent / "outside"
    (trusted.parent / "handler.py").write_text(HANDLER)
    with pytest.raises(ValueError, match="leads out"):
        make(source.format(outside=outside), trusted)


def test_a_link_that_leads_out_is_refused(trusted: Path) -> None:
    outside = trusted.parent / "outside"
    (trusted / "folder").symlink_to(outside)
    (trusted / "file").mkdir()
    (trusted / "file" / "handler.py").symlink_to(outside / "handler.py")
    for source in ("folder", "file"):
        with pytest.raises(ValueError, match="leads out"):
            make(source, trusted)


def test_a_link_that_stays_inside_is_followed(trusted: Path) -> None:
    (trusted / "other").symlink_to(trusted / "mine")
    make("other", trusted).load()


@pytest.mark.parametrize(
    ("source", "said"), [(None, "needs a source"), ("none", "no folder 'none'")]
)
def test_a_folder_without_a_handler_is_told(trusted: Path, source: str | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(source, trusted)


def test_a_handler_needs_its_class(trusted: Path) -> None:
    (trusted / "mine" / "handler.py").write_text("class Handler: pass")
    with pytest.raises(ValueError, match="no class EndpointHandler"):
        make("mine", trusted).load()


def test_a_worker_trusts_its_setting_and_no_declaration(trusted: Path) -> None:
    declared = ModelDeclaration(
        name="mine",
        task="custom",
        backend="handler",
        source=str(trusted / "mine"),
        parameters={"handler_dir": "/"},
    )
    catalog = Catalog([declared])
    with pytest.raises(ModelFailed, match="'handler' takes no 'handler_dir'"):
        Models(catalog, {"multimodal"}, Device()).load_all(strict=True)
    catalog = Catalog([declared.model_copy(update={"parameters": {}})])
    with pytest.raises(ModelFailed, match="are off"):
        Models(catalog, {"multimodal"}, Device()).load_all(strict=True)
    models = Models(catalog, {"multimodal"}, Device(), handler_dir=str(trusted))
    models.load_all()
    assert [model.declaration.name for model in models] == ["mine"]


def test_an_empty_setting_is_off_and_not_the_working_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WHERRY_HANDLER_DIR", "")
    assert WorkerSettings().handler_dir == ""
