from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer
from typer.testing import CliRunner, Result

from wherry.ops import tune_command
from wherry.tasks.tuning import tuner
from wherry.tasks.tuning.process import TrialLog
from wherry.tasks.tuning.trial import TrialPlan


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a model, beside its declaration."""
    folder = tmp_path / "vit"
    folder.mkdir()
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    weights = len(header).to_bytes(8, "little") + header + bytes(4)
    (folder / "model.safetensors").write_bytes(weights)
    told = {"model_type": "vit", "architectures": ["ViTForImageClassification"]}
    (folder / "config.json").write_text(json.dumps(told))
    (folder / "preprocessor_config.json").write_text("{}")
    path = tmp_path / "models.toml"
    path.write_text(
        '[[models]]\nname = "vit"\ntask = "image-classification"\nsource = "vit"\n'
        '[[models]]\nname = "none"\ntask = "image-classification"\nsource = "./none"\n'
    )
    monkeypatch.setenv("WHERRY_TUNED_DIR", str(tmp_path / "tuned"))
    monkeypatch.setattr(tuner, "try_all", _tried)
    return path


def _tried(plan: TrialPlan, **_: object) -> TrialLog:
    seen = TrialLog(plan.candidates, is_done=True)
    for number, each in enumerate(plan.candidates):
        seen.alike[each.name] = {"rows": 5 * bool(number), "difference": 1e-6}
        seen.rates[each.name] = {1: 10.0 + number, 32: 20.0 + 10 * number}
    seen.refuse(plan.candidates[-1].name, "results: 'b' where the answer is 'a'")
    return seen


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    tune_command.register(app)
    return CliRunner().invoke(app, ["tune", *arguments], env={"COLUMNS": "200"})


def test_what_was_tried_is_shown_and_drawn(models: Path, tmp_path: Path) -> None:
    plot = tmp_path / "vit.svg"
    done = run("vit", "--models", str(models), "--plot", str(plot))
    assert done.exit_code == 0, done.output
    assert "1.50 times as fast as transformers float32 at 32 rows" in done.output
    assert "results: 'b' where the answer is 'a'" in done.output
    assert "chosen" in done.output
    texts = [e.text for e in ET.parse(plot).iter() if e.tag.endswith("text")]
    assert "onnxruntime float32 (chosen)" in texts
    assert {"1", "32", "rows a batch"} <= {*texts}
    assert list((tmp_path / "tuned" / "verdicts").glob("*.json"))


def test_machines_get_json(models: Path) -> None:
    told = json.loads(run("vit", "--models", str(models), "--json").output)
    assert (told["model"], told["chosen"]) == ("vit", "onnxruntime float32")
    assert told["tried"][0]["rows_per_s"] == {"1": 10.0, "32": 20.0}


def test_a_model_that_cannot_be_served_or_is_not_there_is_said(models: Path) -> None:
    refused = run("none", "--models", str(models))
    assert (refused.exit_code, "there is no folder" in refused.output) == (1, True)
    unknown = run("vitt", "--models", str(models))
    assert (unknown.exit_code, "unknown model 'vitt'" in unknown.output) == (2, True)


def test_what_another_server_runs_is_not_tried(models: Path) -> None:
    models.write_text(
        '[[models]]\nname = "far"\ntask = "chat"\nbackend = "endpoint"\n'
        'source = "https://llm.example.org/v1"\n'
    )
    refused = run("far", "--models", str(models))
    assert (refused.exit_code, "another server runs it" in refused.output) == (1, True)


def test_a_plot_that_has_no_folder_is_said_before_anything_is_tried(
    models: Path, tmp_path: Path
) -> None:
    done = run("vit", "--models", str(models), "--plot", str(tmp_path / "none" / "vit.svg"))
    assert (done.exit_code, "there is no folder" in done.output) == (2, True)
    assert not (tmp_path / "tuned").exists()


def test_where_nothing_was_tried_no_table_is_shown(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_TUNE_MAX_BYTES", "1")
    done = run("vit", "--models", str(models))
    assert "its weights are over" in done.output
    assert "Rows a second" not in done.output
