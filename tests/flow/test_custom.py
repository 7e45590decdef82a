"""A handler.py of the operator's own, through the queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol import errors
from wherry.tasks.multimodal.custom import CustomInput, CustomOutput

from ..support.models import model

HANDLER = """
class EndpointHandler:
    def __init__(self, path=""):
        pass

    def __call__(self, data):
        return [{"doubled": data["inputs"] * 2}]
"""

MODELS = model("double", "custom", backend="handler", source="handlers/double")


def test_a_handler_answers_jobs_and_a_bad_row_fails_alone(tmp_path: Path) -> None:
    handler = tmp_path / "handlers" / "double" / "handler.py"
    handler.parent.mkdir(parents=True)
    handler.write_text(HANDLER)
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    env = {"WHERRY_HANDLER_DIR": str(tmp_path / "handlers")}
    with (
        Stack(models=models, data_dir=tmp_path / "data", flower=False, env=env) as stack,
        Client(stack.url) as client,
    ):
        rows: list[dict[str, object]] = [{"inputs": 4}, {}, {"inputs": "ab"}]
        inputs = (CustomInput(data=[row]) for row in rows)
        first, bad, last = client.map("double", inputs, return_errors=True)
        assert isinstance(first, CustomOutput)
        assert first.results == [[{"doubled": 8}]]
        assert isinstance(bad, errors.RowError)
        assert isinstance(last, CustomOutput)
        assert last.results == [[{"doubled": "abab"}]]
        request = CustomInput(data=[{}]).to_inference_request()
        request.inputs[0].data = ["{"]
        with pytest.raises(errors.InvalidRequest, match="is not JSON"):
            client.infer("double", request)
