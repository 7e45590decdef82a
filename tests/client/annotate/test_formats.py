"""Which formats there are, which task each fits, and what all of them keep to."""

from __future__ import annotations

import builtins
import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.formats import FORMATS, format_of, formats_for, writer_of
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.annotations import formats as known_formats
from wherry.tasks.annotations.fits import medium
from wherry.tasks.registry import get_task, task_names

from .answers import HARD_IDS, box, contents, examples, origin, row, written

#: Formats that hold every task.
ALL = {"jsonl", "oip-jsonl", "parquet", "datasets"}
FILMS = {"cvat-video", "label-studio-video", "mot"}
#: What drawing tools read: shapes in images, and labels of images.
SHAPES = {"cvat", "labelme", "datumaro"}
PLAIN = ALL | FILMS | SHAPES
BOXES = PLAIN | {"csv", "coco-detection", "label-studio", "yolo", "voc", "open-images"}
SEGMENTS = {"coco-instance", "cvat-video", "yolo", "yolo-seg", "yolo-obb", "masks"}
MASKS = ALL | SHAPES | SEGMENTS | {"csv", "label-studio"}
SEEN = ALL | {"csv", "label-studio"}
LABELS = SEEN | SHAPES | {"open-images", "label-studio-video"}
TABLE = ALL | {"csv"}
FILES = ALL | {"files"}

FITS = {
    "object-detection": BOXES,
    "zero-shot-object-detection": BOXES,
    "image-segmentation": MASKS | {"coco-panoptic", "semantic-masks", "indexed-masks"},
    "mask-generation": MASKS,
    "video-mask-generation": TABLE | FILMS | {"masks"},
    "keypoint-detection": SEEN | SHAPES | {"coco-keypoints", "yolo-pose"},
    "image-to-text": SEEN | {"coco-captions", "datumaro"},
    "image-text-to-text": SEEN | {"coco-captions", "datumaro"},
    "image-classification": LABELS | {"yolo-classify"},
    "zero-shot-image-classification": LABELS | {"yolo-classify"},
    "audio-classification": SEEN,
    "audio-text-to-text": SEEN,
    "zero-shot-audio-classification": SEEN,
    "automatic-speech-recognition": SEEN | {"webvtt", "srt", "ctm"},
    "visual-question-answering": SEEN,
    "document-question-answering": SEEN,
    "optical-character-recognition": SEEN,
    "token-classification": TABLE | {"conll", "spacy"},
    "depth-estimation": FILES,
    "image-anonymization": FILES,
    "image-to-image": FILES,
    "text-to-audio": FILES,
    "text-to-image": FILES,
    "text-to-speech": FILES,
}

PAIRS = [
    (task, name) for task in task_names() for name in FORMATS if name in formats_for(get_task(task))
]


@pytest.mark.parametrize("task", task_names())
def test_a_task_has_the_formats_that_can_hold_it(task):
    assert set(formats_for(get_task(task))) == FITS.get(task, TABLE)
    assert formats_for(get_task(task))[0] == "jsonl"


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_the_same_answers_make_the_same_bytes(tmp_path, task, name):
    first = contents(written(name, tmp_path / "first", examples(task), task))
    assert first == contents(written(name, tmp_path / "second", examples(task), task))
    assert any(len(held) > 10 for held in first.values())


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_no_rows_make_an_output_too(tmp_path, task, name):
    assert contents(written(name, tmp_path / "out", [], task))


@pytest.mark.parametrize("name", sorted(BOXES))
def test_noise_of_the_seventh_digit_is_not_seen(tmp_path, name):
    def rows(noise: float) -> Any:
        found = box("boat", 0.87512341 + noise, 10.001, 20.002 + noise, 100.003, 200.004 + noise)
        return [row("object-detection", 0, [found])]

    clean, noisy = (
        written(name, tmp_path / str(n), rows(n), "object-detection") for n in (0, 3e-8)
    )
    other = written(name, tmp_path / "other", [row("object-detection", 0, [])], "object-detection")
    assert contents(clean) == contents(noisy)
    assert contents(clean) != contents(other)


@pytest.mark.parametrize("name", sorted(BOXES))
def test_any_id_stays_within_the_output(tmp_path, name):
    rows = [
        row("object-detection", n, [box("boat", 0.5, 1, 2, 30, 40)], row_id)
        for n, row_id in enumerate(HARD_IDS)
    ]
    out = tmp_path / "deep" / "out"
    out.parent.mkdir()
    written(name, out, rows, "object-detection")
    assert list(tmp_path.iterdir()) == [out.parent]
    assert list(out.parent.iterdir()) == [out]
    files = [file for file in contents(out) if file.startswith(("labels/", "Annotations/"))]
    assert len(files) in (0, len(HARD_IDS))


#: Each format with a task of images that it fits.
OF_IMAGES = {name: task for task, name in PAIRS if medium(get_task(task)) == "image"}


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_picture_of_unknown_size_fails_alone_at_most(tmp_path, name):
    task = OF_IMAGES[name]
    found = examples(task)[0]
    with writer_of(name, get_task(task))(tmp_path / "out", origin(task)) as writer:
        for index, size in enumerate([(8, 8), None, (0, 0), (8, 8)]):
            try:
                writer.write(replace(found, index=index, id=f"{index}.avif", size=size))
            except RowError as error:
                assert not all(size or (0, 0)), error
    assert contents(tmp_path / "out")


@pytest.mark.parametrize(
    ("path", "task", "name"),
    [
        ("out.jsonl", "embedding", "jsonl"),
        ("OUT.NDJSON", "embedding", "jsonl"),
        ("out.parquet", "object-detection", "parquet"),
        ("out.csv", "object-detection", "csv"),
        ("out.json", "object-detection", "coco-detection"),
        ("out.json", "image-segmentation", "coco-instance"),
        ("out.json", "mask-generation", "coco-instance"),
        ("out.json", "keypoint-detection", "coco-keypoints"),
        ("out.json", "image-to-text", "coco-captions"),
        ("out.json", "image-classification", "label-studio"),
        ("out.xml", "object-detection", "cvat"),
        ("out.ctm", "automatic-speech-recognition", "ctm"),
        ("out.conll", "token-classification", "conll"),
        ("out", "image-segmentation", "masks"),
        ("out", "text-to-image", "files"),
        ("out", "object-detection", "datasets"),
        ("out.v2", "embedding", "datasets"),
    ],
)
def test_a_suffix_stands_for_a_format(path, task, name):
    assert format_of(path, get_task(task)) == name
    assert format_of(Path("some") / path, get_task(task)) == name


@pytest.mark.parametrize(
    ("path", "task"),
    [
        ("out.json", "embedding"),
        ("out.csv", "text-to-image"),
        ("a.xml", "custom"),
        ("out.jsonl.gz", "embedding"),
        ("out.tsv", "text-to-image"),
    ],
)
def test_a_suffix_without_a_fitting_format_is_refused(path, task):
    with pytest.raises(InvalidRequest, match=f"fits {task}; name one of jsonl, oip-jsonl, parquet"):
        format_of(path, get_task(task))


@pytest.mark.parametrize(
    ("path", "meant"),
    [("out.jsnol", ".jsonl"), ("out.parqet", ".parquet"), ("a.jsonlines", ".jsonl")],
)
def test_a_suffix_that_is_nearly_another_makes_no_folder(path, meant):
    with pytest.raises(UsageError, match=f"{path}'; did you mean '{meant}'.*give the format"):
        format_of(path, get_task("embedding"))


def test_a_format_that_does_not_fit_names_those_that_do(tmp_path):
    with pytest.raises(InvalidRequest, match="'voc' cannot hold what embedding answers; use jsonl"):
        writer_of("voc", get_task("embedding"))
    with pytest.raises(InvalidRequest, match="'cocco'; did you mean one of 'coco-detection', 'coc"):
        writer_of("cocco", get_task("object-detection"))
    with pytest.raises(InvalidRequest, match="unknown format 'vox'; there are jsonl, oip-jsonl"):
        writer_of("vox", get_task("embedding"))
    assert not list(tmp_path.iterdir())


def test_a_missing_package_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without_pyarrow(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "pyarrow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    for module in ("columns", "parquet"):
        monkeypatch.delitem(sys.modules, f"wherry.client.annotate.formats.{module}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(InvalidRequest, match=r"needs pyarrow.*wherry\[annotate\]"):
        writer_of("parquet", get_task("embedding"))


def test_the_formats_are_told_without_numpy_or_pyarrow():
    # Without the package around them: the report's pictures need numpy.
    program = """
import sys, types, wherry.client
package = types.ModuleType("wherry.client.annotate")
package.__path__ = [wherry.client.__path__[0] + "/annotate"]
sys.modules[package.__name__] = package
from wherry.client.annotate import formats
from wherry.tasks.registry import get_task
assert "masks" in formats.formats_for(get_task("image-segmentation"))
print([name for name in ("pyarrow", "datasets", "numpy", "PIL") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_is_there(name):
    module, _, writer = FORMATS[name].partition(":")
    found = getattr(importlib.import_module(f"wherry.client.annotate.formats.{module}"), writer)
    assert found.__doc__


@pytest.mark.parametrize(
    ("task", "name"),
    [p for p in PAIRS if p[0] in ("object-detection", "image-segmentation", "keypoint-detection")],
)
def test_a_run_that_breaks_off_leaves_no_file_open(tmp_path, task, name):
    def broken_off() -> None:
        with writer_of(name, get_task(task))(tmp_path / "out", origin(task)) as writer:
            writer.write(examples(task)[0])
            raise KeyboardInterrupt

    # An open file would warn when it is collected, and warnings are errors.
    with pytest.raises(KeyboardInterrupt):
        broken_off()
    fds = Path("/proc/self/fd").iterdir()
    open_files = [file.resolve() for file in fds if file.is_symlink()]
    assert not [file for file in open_files if file.is_relative_to(tmp_path)]


def test_a_server_tells_of_the_formats_that_are_written():
    """The table of the room of tasks, which the API knows, is that of the writers."""
    assert [told.name for told in known_formats.FORMATS] == list(FORMATS)
    for told in known_formats.FORMATS:
        task = next(t for t in map(get_task, task_names()) if told.name in formats_for(t))
        assert writer_of(told.name, task).is_folder == told.is_folder, told.name
        if told.suffix and told.suffix != ".json" and told.name not in ("oip-jsonl", "spacy"):
            assert format_of(f"out{told.suffix}", task) == told.name
