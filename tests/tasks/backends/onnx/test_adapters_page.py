"""docs/onnx-adapters.md, followed to the letter."""

from __future__ import annotations

import io
import json
import re
import runpy
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from wherry.tasks import entry_points
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.dialects import dialects
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check.model import check_model
from wherry.tasks.create import LocalTask, create_task

PAGE = (Path(__file__).parents[4] / "docs" / "onnx-adapters.md").read_text(encoding="utf-8")

TASK = "image-classification"

#: A file of the page: its path in a line of its own, then its text.
FILES = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))

#: Shown once the package is installed.
(CODE,) = (b for b in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "create_task" in b)


def photo_model(folder: Path) -> None:
    """The redder, the likelier: chances are the mean of red, and the rest of it."""
    red, rest = np.array([[1.0], [0.0], [0.0]]), np.array([[-1.0], [0.0], [0.0]])
    weights = np.concatenate([red, rest], axis=1).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["photo"], ["means"]),
            helper.make_node("Flatten", ["means"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["chance"]),
        ],
        "photo",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("chance", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([0.0, 1.0], dtype=np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "red", "1": "other"}}))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the graph and a photo, where Python runs."""
    monkeypatch.chdir(tmp_path)
    photo_model(tmp_path / "photo-model")
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), (255, 0, 0)).save(buffer, "PNG")
    (tmp_path / "photo.png").write_bytes(buffer.getvalue())
    entry_points.installed.cache_clear()
    yield tmp_path
    entry_points.installed.cache_clear()


def install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip would leave behind: the module, and a folder that tells its entry points."""
    site = home / "site"
    told = site / "photo_chance-1.0.dist-info"
    told.mkdir(parents=True)
    (site / "photo_chance.py").write_text(FILES["photo-chance/photo_chance.py"])
    project = tomllib.loads(FILES["photo-chance/pyproject.toml"])["project"]
    (told / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in points.items()))
    ]
    (told / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(site)


def test_a_graph_of_no_dialect_is_told(home: Path) -> None:
    with pytest.raises(ModelRefused, match=r"photo \[.*chance \[.*pixel-logits"):
        create_task("onnxruntime", "image-classification", "photo-model")


def test_the_pages_adapter_answers_the_pages_code(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(home, monkeypatch)
    (home / "run.py").write_text(CODE)
    runpy.run_path("run.py")
    assert capsys.readouterr().out == "red\n"
    blue = io.BytesIO()
    Image.new("RGB", (9, 9), (0, 0, 255)).save(blue, "PNG")
    task = create_task("onnxruntime", "image-classification", "photo-model")
    answer = task.run(images=[(home / "photo.png").read_bytes(), blue.getvalue()], top_k=2)
    assert answer.output("label").texts() == ["red", "other", "other", "red"]


def test_an_adapter_of_the_folder_is_run_where_its_operator_trusts_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, outside = home / "photo-model", home / "outside"
    (folder / "adapter.py").write_text(FILES["photo-chance/photo_chance.py"] + "\nprint('ran')\n")
    outside.mkdir()

    def create(handler_dir: Path | str, name: str = "adapter.py", task: str = TASK) -> LocalTask:
        parameters = {"adapter": name, "handler_dir": handler_dir}
        return create_task("onnxruntime", task, str(folder), parameters)

    with pytest.raises(ModelRefused, match=r"folders is off; WHERRY_HANDLER_DIR names where"):
        create("")
    with pytest.raises(ModelRefused, match="is not in the directory of trusted code"):
        create(outside)
    shutil.copy(folder / "adapter.py", outside / "stray.py")
    (folder / "linked.py").symlink_to(outside / "stray.py")
    with pytest.raises(ModelRefused, match="is not in the directory of trusted code"):
        create(folder, "linked.py")
    with pytest.raises(ModelRefused, match="holds no other.py"):
        create(home, "other.py")
    assert capsys.readouterr().out == "", "none of it was run"
    with create(home) as task:
        photo = (home / "photo.png").read_bytes()
        assert task.run(images=[photo], top_k=1).output("label").texts() == ["red"]
    assert capsys.readouterr().out == "ran\n"
    with pytest.raises(ModelRefused, match="PhotoChance does image-classification, not depth-"):
        create(home, task="depth-estimation")
    (folder / "adapter.py").write_text("raise RuntimeError('broken')")
    with pytest.raises(ModelRefused, match=r"adapter.py: RuntimeError: broken"):
        create(home)
    (folder / "adapter.py").write_text("answer = 42")
    with pytest.raises(ModelRefused, match="has to make one Adapter with a `dialect`; it makes no"):
        create(home)


def test_an_adapter_of_the_folder_sees_the_graph_by_the_names_it_is_told(home: Path) -> None:
    folder = home / "photo-model"
    (folder / "adapter.py").write_text(FILES["photo-chance/photo_chance.py"])
    model = onnx.load(folder / "model.onnx")
    model.graph.node[0].input[0] = model.graph.input[0].name = "input.1"
    model.graph.node[-1].output[0] = model.graph.output[0].name = "linear_7"
    onnx.save(model, folder / "model.onnx")
    given = {"adapter": "adapter.py", "handler_dir": home}
    with pytest.raises(ModelRefused, match="does not accept the graph of input.1 -> linear_7"):
        create_task("onnxruntime", TASK, str(folder), given)
    with pytest.raises(ModelRefused, match="outputs 'linear_8': the graph has linear_7"):
        create_task("onnxruntime", TASK, str(folder), {**given, "outputs": ["linear_8"]})
    told = {**given, "input": "input.1", "outputs": ["linear_7"]}
    with create_task("onnxruntime", TASK, str(folder), told) as task:
        photo = (home / "photo.png").read_bytes()
        assert task.run(images=[photo], top_k=1).output("label").texts() == ["red"]


def test_a_check_reads_no_adapter_of_a_folder(home: Path) -> None:
    (home / "photo-model" / "adapter.py").write_text("raise RuntimeError('it was run')")
    source = str(home / "photo-model")
    declared = ModelDeclaration(
        name="photo",
        task=TASK,
        backend="onnxruntime",
        source=source,
        parameters={"adapter": "adapter.py", "its_own": 1},
    )
    assert check_model(declared, handler_dir=str(home)) == []
    (off,) = check_model(declared, handler_dir="")
    assert "WHERRY_HANDLER_DIR names where" in off.text
    (beyond,) = check_model(declared, handler_dir=str(home / "other"))
    assert "is not in the directory of trusted code" in beyond.text


def test_custom_adapters_are_asked_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(home, monkeypatch)
    assert [*dialects("image-classification")] == ["photo-chance", "pixel-logits", "yolo-classify"]


def test_the_table_is_the_order() -> None:
    rows = re.findall(r"^\| ([a-z, -]+) \| ([a-z0-9, -]+) \|$", PAGE, re.MULTILINE)
    kinds = [row for row in rows if row[0] not in ("task", "parameter")]  # no heads of tables
    listed = {task: named.split(", ") for tasks, named in kinds for task in tasks.split(", ")}
    assert listed.pop("image-anonymization") == listed["object-detection"]
    assert {task: [*dialects(task)] for task in listed} == listed
    assert len({name for names in listed.values() for name in names}) == 36
