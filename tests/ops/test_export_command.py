"""`wherry export`, as a person calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wherry.ops import export_command
from wherry.samples.tiny import build
from wherry.tasks.create import create_task
from wherry.tasks.samples import PNG

TASK = "image-classification"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build(TASK, tmp_path_factory.mktemp("tiny") / "model"))


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    made.callback()(lambda: None)  # else the one command would need no name
    export_command.register(made)
    return made


def test_export_writes_a_folder_that_serves(app: typer.Typer, model: str, tmp_path: Path) -> None:
    out = str(tmp_path / "graph")
    done = CliRunner().invoke(app, ["export", model, out, "--task", TASK])
    assert done.exit_code == 0, done.output
    assert "differs" in done.output
    assert 'backend = "onnxruntime"' in done.output
    answers = [
        create_task(backend, TASK, source).run(images=[PNG], top_k=3)
        for backend, source in (("onnxruntime", out), ("transformers", model))
    ]
    first, second = (answer.output("score").flat() for answer in answers)
    assert list(first) == pytest.approx(list(second), abs=1e-3)


def test_what_differs_too_much_fails(app: typer.Typer, model: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["export", model, str(tmp_path), "--task", TASK, "--tolerance", "0"]
    )
    assert done.exit_code == 1
    assert "over the tolerance of 0" in done.output


def test_a_task_without_a_graph_is_told(app: typer.Typer, model: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", model, str(tmp_path), "--task", "custom"])
    assert done.exit_code == 2
    assert "custom" in done.output


def test_a_task_that_is_nearly_one_gets_its_name(
    app: typer.Typer, model: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(
        app, ["export", model, str(tmp_path / "x"), "-t", "image-clasification"]
    )
    assert done.exit_code == 2
    assert "did you mean 'image-classification'?" in " ".join(done.output.replace("│", " ").split())
    assert not (tmp_path / "x").exists()


def test_a_model_that_cannot_be_exported_is_no_wrong_command(
    app: typer.Typer, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    given = ["export", str(tmp_path / "model"), str(tmp_path / "x"), "--task", TASK]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'model'}: ")
    assert "Traceback" not in done.output


def test_what_lies_in_the_output_is_not_replaced_unasked(
    app: typer.Typer, model: str, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_text("mine")
    for out in (str(tmp_path), model, str(tmp_path / "model.onnx")):
        done = CliRunner().invoke(app, ["export", model, out, "--task", TASK])
        assert done.exit_code == 2, done.output
    assert (tmp_path / "model.onnx").read_text() == "mine"
    asked = ["export", model, str(tmp_path), "--task", TASK, "--overwrite"]
    assert CliRunner().invoke(app, asked).exit_code == 0
    own = CliRunner().invoke(app, ["export", model, model, "--task", TASK, "--overwrite"])
    assert own.exit_code == 2


@pytest.mark.parametrize("source", ["./nothing", "/nothing/there"])
def test_a_model_that_is_not_there_is_one_line(
    source: str, app: typer.Typer, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["export", source, str(tmp_path / "x"), "--task", TASK])
    assert done.exit_code == 2
    assert "there is no folder" in done.output
