"""What rows that are frames or pages come to in each format, and the formats of films."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_from_disk

from wherry.client.annotate.formats import writer_of
from wherry.client.annotate.formats.base import OutputLayout
from wherry.client.annotate.formats.jsonl import read_annotations
from wherry.client.annotate.ledger import KEY_BYTES, Ledger
from wherry.client.annotate.output import write_output
from wherry.client.annotate.rows import Annotation, SampledFrame
from wherry.client.annotate.stored_answers import pack_answers
from wherry.protocol.errors import RowError
from wherry.protocol.parameters import warnings
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import write_mask
from wherry.tasks.values.rle import mask_of

from .answers import box, contents, disc, origin, row, segment, written

SIZE, KEY = (64, 48), bytes(KEY_BYTES)


def frame(file: str, number: int, index: int, items: Any, total: int = 50) -> Annotation:
    """A row that is a frame of a film with 25 frames a second."""
    time_s = number / 25
    found = row("object-detection", index, items, f"{file}#t={time_s:.3f}", SIZE, f"films/{file}")
    return replace(found, frame=SampledFrame(file, number, total, time_s))


BOAT, CAT = box("boat", 0.5, 1, 2, 30, 40), box("cat", 0.25, 10.5, 20, 30, 46.123)
ROWS = [
    frame("a.mp4", 0, 0, [BOAT, CAT]),
    frame("a.mp4", 25, 1, []),
    frame("a.mp4", 49, 2, [BOAT]),
    frame("b/c.webm", 0, 3, [CAT]),
]
STRETCHES = [
    replace(
        row(
            "image-classification",
            index,
            [{"label": label, "score": 0.5}] if label else [],
            f"a.mp4#t={index}.000",
            SIZE,
            "films/a.mp4",
        ),
        frame=SampledFrame("a.mp4", 10 * index, 50, index * 0.4),
    )
    for index, label in enumerate(["sea", "sea", "", "fog", "sea"])
]
PAGES = [
    replace(
        row("object-detection", n, [BOAT], f"doc.pdf#page={n + 1}", SIZE),
        frame=SampledFrame("doc.pdf", n, 2, page=n + 1),
    )
    for n in range(2)
]


def written_framed(name: str, path: Path, rows: list[Annotation]) -> Path:
    task = get_task("object-detection")
    with writer_of(name, task)(path, replace(origin(task.name), has_frames=True)) as writer:
        for annotation in rows:
            writer.write(annotation)
    return path


# --- those of all rows ---


def test_lines_say_what_a_row_is_of_its_file(tmp_path: Path) -> None:
    rows = [*ROWS, *PAGES, row("object-detection", 6, [])]
    path = written("jsonl", tmp_path / "out.jsonl", rows, "object-detection")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [lines[1]["frame"], lines[1]["time"], "page" in lines[1]] == [25, 1.0, False]
    assert [lines[5]["frame"], lines[5]["page"], "time" in lines[5]] == [1, 2, False]
    assert not {"frame", "time", "page"} & lines[6].keys()
    read = [annotation.frame for annotation in read_annotations(path, get_task("object-detection"))]
    assert read == [a.frame and replace(a.frame, total=None) for a in rows]


def test_what_a_page_is_answered_is_on_that_page(tmp_path: Path) -> None:
    """Each is sent alone, and so answered as the first of its file."""
    asked = origin("optical-character-recognition")
    one = row(asked.task.name, 0, [{"text": "a", "score": 0.5, "box": BOAT["box"]}])
    with Ledger(tmp_path / "out.ledger") as ledger:
        ledger.begin(reuse=True)
        response = one.output.response("sea")
        response.parameters = warnings([], {0: "it is dark"}, 1)
        ledger.keep(pack_answers(asked.task, response, 1), [KEY])
        for page in (2, 3):
            frame = SampledFrame("doc.pdf", page - 1, 3, page=page)
            ledger.place(page, f"doc.pdf#page={page}", "", KEY, SIZE, frame=frame)
        ledger.place(9, "scan.png", "", KEY, SIZE)
        out, writer = tmp_path / "out.jsonl", writer_of("jsonl", asked.task)
        findings = write_output(ledger, asked, writer, out, tmp_path / "errors")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["lines"][0]["page"] for line in lines] == [2, 3, 1]
    assert findings.warned == 3


def test_tables_have_columns_for_it_where_rows_do(tmp_path: Path) -> None:
    rows = [*ROWS, *PAGES]
    expected = [(a.frame.number, a.frame.time_s, a.frame.page) for a in rows if a.frame]
    names = ["frame", "time", "page"]
    tables = (
        pq.read_table(written_framed("parquet", tmp_path / "out.parquet", rows)),
        load_from_disk(written_framed("datasets", tmp_path / "out", rows)),
    )
    for table in tables:
        columns = (table[name] for name in names)
        listed = [c.to_pylist() if hasattr(c, "to_pylist") else list(c) for c in columns]
        assert list(zip(*listed, strict=True)) == expected
    with written_framed("csv", tmp_path / "out.csv", rows).open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [lines[0][name] for name in names] == ["0", "0.0", ""]
    assert [lines[-1][name] for name in names] == ["1", "", "2"]
    whole = [row("object-detection", 0, [BOAT])]
    bare = pq.read_table(written("parquet", tmp_path / "bare", whole, "object-detection"))
    assert not {*names} & {*bare.column_names}
    head = written("csv", tmp_path / "bare.csv", whole, "object-detection").read_text()
    assert "frame" not in head


def test_coco_has_the_films_and_whose_an_image_is(tmp_path: Path) -> None:
    rows = [*ROWS, PAGES[0]]
    path = written("coco-detection", tmp_path / "out.json", rows, "object-detection")
    document = json.loads(path.read_bytes())
    size = {"width": 64, "height": 48}
    assert document["videos"] == [
        {"id": 1, "name": "a.mp4", **size},
        {"id": 2, "name": "b/c.webm", **size},
    ]
    names = ("video_id", "frame_id", "time")
    assert [tuple(image.get(name) for name in names) for image in document["images"]] == [
        *((1, 0, 0.0), (1, 25, 1.0), (1, 49, 1.96), (2, 0, 0.0)),
        (None, None, None),
    ]
    assert [image["file_name"] for image in document["images"]] == [a.id for a in rows]
    still = written(
        "coco-detection", tmp_path / "b", [row("object-detection", 0, [])], "object-detection"
    )
    assert "videos" not in json.loads(still.read_bytes())


# --- those of films ---


def tracks(path: Path) -> list[tuple[str, str, list[tuple[int, bool, tuple[float, ...]]]]]:
    """Id, label and boxes of each track: frame, whether it is outside, corners."""
    return [
        (
            track.attrib["id"],
            track.attrib["label"],
            [
                (
                    int(shape.attrib["frame"]),
                    shape.attrib["outside"] == "1",
                    tuple(float(shape.attrib[name]) for name in ("xtl", "ytl", "xbr", "ybr")),
                )
                for shape in track
            ],
        )
        for track in ET.parse(path).getroot().iter("track")
    ]


BOAT_AT, CAT_AT = (1.0, 2.0, 30.0, 40.0), (10.5, 20.0, 30.0, 46.12)


def test_what_is_found_in_a_frame_is_a_track_of_it_alone(tmp_path: Path) -> None:
    out = written("cvat-video", tmp_path / "out", ROWS, "object-detection")
    assert tracks(out / "a.xml") == [
        ("0", "boat", [(0, False, BOAT_AT), (1, True, BOAT_AT)]),
        ("1", "cat", [(0, False, CAT_AT), (1, True, CAT_AT)]),
        # No frame of the film comes after it: CVAT would refuse the file.
        ("2", "boat", [(49, False, BOAT_AT)]),
    ]
    assert tracks(out / "b" / "c.xml") == [("0", "cat", [(0, False, CAT_AT), (1, True, CAT_AT)])]
    root = ET.parse(out / "a.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert root.findtext("meta/task/size") == "50"
    assert root.findtext("meta/task/original_size/width") == "64"
    assert [label.text for label in root.iterfind("meta/task/labels/label/name")] == ["boat", "cat"]
    assert {a.text for a in root.iterfind("track/box/attribute[@name='score']")} == {"0.5", "0.25"}
    index = [json.loads(line) for line in (out / "films.jsonl").read_text().splitlines()]
    assert index[1] == {"file": "b/c.webm", "path": "films/b/c.webm", "annotations": "b/c.xml"}


def test_masks_of_frames_are_cvats_run_lengths(tmp_path: Path) -> None:
    """Row by row, zeros first, in the box around them; its importer drops more of a track."""
    shape = disc(20, 10, 7, SIZE)
    rows = [
        replace(row("image-segmentation", 0, [segment("sea", 0.5, shape)], size=SIZE), frame=found)
        for found in (SampledFrame("a.mp4", 3, 9, 0.12),)
    ]
    out = written("cvat-video", tmp_path / "out", rows, "image-segmentation")
    [mask] = ET.parse(out / "a.xml").getroot().iterfind("track/mask")
    left, top, width, height = (
        int(mask.attrib[name]) for name in ("left", "top", "width", "height")
    )
    runs = [int(run) for run in mask.attrib["rle"].split(",")]
    whole = np.zeros((48, 64), bool)
    whole[top : top + height, left : left + width] = mask_of(runs, width, height).T
    assert (whole == shape).all()
    assert (mask.attrib["frame"], mask.attrib["outside"]) == ("3", "0")


def followed(*frames: tuple[int, dict[int, tuple[int, int] | None]]) -> Annotation:
    """A film whose objects' masks are discs around these points; None for none."""
    found = [(o, f, at) for f, objects in frames for o, at in objects.items()]
    masks = [write_mask(disc(*at, 5, SIZE) if at else np.zeros((48, 64), bool)) for *_, at in found]
    return Annotation(
        index=0,
        id="films/a.mp4",
        path="films/a.mp4",
        output=get_task("video-mask-generation").output.model_validate(
            {
                "objects_ids": [[o for o, _, _ in found]],
                "frame_indexes": [[f for _, f, _ in found]],
                "masks": [masks],
                "times": [[f / 10 for _, f, _ in found]],
            }
        ),
        size=None,
    )


FOLLOWED = followed(
    (0, {5: (20, 20), 0: (40, 20)}), (1, {5: (22, 20), 0: None}), (2, {5: (24, 20), 0: (44, 20)})
)


def test_an_object_that_is_followed_is_a_track_of_boxes(tmp_path: Path) -> None:
    out = written("cvat-video", tmp_path / "out", [FOLLOWED], "video-mask-generation")
    assert tracks(out / "films" / "a.xml") == [
        ("5", "object", [(n, False, (15.0 + 2 * n, 15.0, 26.0 + 2 * n, 26.0)) for n in range(3)]),
        (
            "0",
            "object",
            [
                (0, False, (35.0, 15.0, 46.0, 26.0)),
                (1, True, (35.0, 15.0, 46.0, 26.0)),  # it is not to be seen
                (2, False, (39.0, 15.0, 50.0, 26.0)),
            ],
        ),
    ]


def test_motchallenge_counts_from_one(tmp_path: Path) -> None:
    out = written("mot", tmp_path / "out", ROWS, "object-detection")
    assert (out / "a" / "det" / "det.txt").read_text().splitlines() == [
        "1,-1,2.00,3.00,29.00,38.00,0.5,1,-1,-1",
        "1,-1,11.50,21.00,19.50,26.12,0.25,2,-1,-1",
        "50,-1,2.00,3.00,29.00,38.00,0.5,1,-1,-1",
    ]
    assert (out / "a" / "det" / "labels.txt").read_text() == "boat\ncat\n"
    assert (out / "b" / "c" / "det" / "labels.txt").read_text() == "cat\n"
    assert dict(
        line.split("=") for line in (out / "a" / "seqinfo.ini").read_text().splitlines()[1:]
    ) == {
        "name": "a",
        "imDir": "img1",
        "frameRate": "25",
        "seqLength": "50",
        "imWidth": "64",
        "imHeight": "48",
        "imExt": ".jpg",
    }


def test_motchallenge_has_followed_objects_as_ground_truth(tmp_path: Path) -> None:
    out = written("mot", tmp_path / "out", [FOLLOWED], "video-mask-generation")
    folder = out / "films" / "a"
    assert (folder / "gt" / "gt.txt").read_text().splitlines() == [
        "1,6,16.00,16.00,11.00,11.00,1,1,1",
        "2,6,18.00,16.00,11.00,11.00,1,1,1",
        "3,6,20.00,16.00,11.00,11.00,1,1,1",
        "1,1,36.00,16.00,11.00,11.00,1,1,1",
        "3,1,40.00,16.00,11.00,11.00,1,1,1",
    ]
    assert "frameRate=10\nseqLength=3\nimWidth=64\n" in (folder / "seqinfo.ini").read_text()


def film_of(path: Path) -> dict[str, Any]:
    """The one task of a film's file."""
    [told] = json.loads(path.read_text())
    assert isinstance(told, dict)
    return told


def test_label_studio_has_rectangles_of_single_frames(tmp_path: Path) -> None:
    out = written("label-studio-video", tmp_path / "out", ROWS, "object-detection")
    told = film_of(out / "a.json")
    assert told["data"] == {"video": "films/a.mp4", "wherry_id": "a.mp4"}
    [prediction] = told["predictions"]
    assert prediction["score"] == pytest.approx((0.5 + 0.25 + 0.5) / 3, abs=1e-6)
    found = prediction["result"]
    assert [each["value"]["labels"] for each in found] == [["boat"], ["cat"], ["boat"]]
    assert [each["score"] for each in found] == [0.5, 0.25, 0.5]
    assert {each["type"] for each in found} == {"videorectangle"}
    assert len({each["id"] for each in found}) == 3
    last = found[2]["value"]
    assert (last["framesCount"], last["duration"]) == (50, 2.0)
    assert last["sequence"] == [
        {
            "frame": 50,
            "enabled": False,
            "rotation": 0,
            "time": 1.96,
            "x": 1.5625,
            "y": 4.1667,
            "width": 45.3125,
            "height": 79.1666,
        }
    ]
    index = [json.loads(line) for line in (out / "films.jsonl").read_text().splitlines()]
    assert index[1] == {"file": "b/c.webm", "path": "films/b/c.webm", "annotations": "b/c.json"}


def test_label_studio_has_a_rectangle_through_the_frames_of_a_followed_object(
    tmp_path: Path,
) -> None:
    out = written("label-studio-video", tmp_path / "out", [FOLLOWED], "video-mask-generation")
    told = film_of(out / "films" / "a.json")
    first, second = (each["value"] for each in told["predictions"][0]["result"])
    keyframes = [(each["frame"], each["enabled"]) for each in first["sequence"]]
    assert keyframes == [(1, True), (2, True), (3, False)]
    assert [each["time"] for each in first["sequence"]] == [0, 0.1, 0.2]
    # In the second frame it is not to be seen.
    assert [(each["frame"], each["enabled"]) for each in second["sequence"]] == [
        (1, False),
        (3, False),
    ]
    assert "score" not in told["predictions"][0]["result"][0]


def test_label_studio_has_stretches_of_frames_of_one_label(tmp_path: Path) -> None:
    out = written("label-studio-video", tmp_path / "out", STRETCHES, "image-classification")
    found = film_of(out / "a.json")["predictions"][0]["result"]
    assert [(each["type"], each["value"]) for each in found] == [
        ("timelinelabels", {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]})
        for start, end, label in ((1, 20, "sea"), (31, 40, "fog"), (41, 50, "sea"))
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [("xmin", math.nan), ("ymax", math.inf), ("score", math.nan), ("label", "a\ud800\u2028b")],
)
def test_label_studio_has_all_of_a_film_whatever_one_answer_holds(
    tmp_path: Path, field: str, value: Any
) -> None:
    """What cannot be said of one box would else end the whole output."""
    told = (row := ROWS[0]).output.model_dump()
    [[found]] = told.values()
    (found[0] if field in found[0] else found[0]["box"])[field] = value
    output = type(row.output).model_validate({name: [found] for name in told})
    rows = [replace(row, output=output), *ROWS[1:]]
    out = written("label-studio-video", tmp_path / "out", rows, "object-detection")
    told = film_of(out / "a.json")["predictions"][0]["result"]
    assert len(told) == 3
    assert all(0 <= told[0]["value"]["sequence"][0][side] <= 100 for side in ("x", "width"))
    assert all(math.isfinite(each["score"]) for each in told)


def test_label_studio_is_told_where_films_are(tmp_path: Path) -> None:
    layout = OutputLayout(media_prefix="/data/local-files/?d=films")
    task = get_task("object-detection")
    writer = writer_of("label-studio-video", task)
    with writer(tmp_path / "out", origin(task.name), layout) as open_writer:
        open_writer.write(ROWS[3])
    told = film_of(tmp_path / "out" / "b" / "c.json")
    assert told["data"]["video"] == "/data/local-files/?d=films/b/c.webm"


@pytest.mark.parametrize("name", ["cvat-video", "label-studio-video", "mot"])
def test_a_row_that_cannot_be_held_leaves_nothing(tmp_path: Path, name: str) -> None:
    """And a film that only such rows are of is not begun."""
    unknown = replace(ROWS[3], size=None)
    whole = contents(written(name, tmp_path / "whole", ROWS[:3], "object-detection"))
    task = get_task("object-detection")
    with writer_of(name, task)(tmp_path / "out", origin(task.name)) as writer:
        for annotation in ROWS[:3]:
            writer.write(annotation)
        with pytest.raises(RowError, match="size of its image is not known"):
            writer.write(unknown)
    assert contents(tmp_path / "out") == whole
