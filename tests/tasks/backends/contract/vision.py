"""Tasks that look at images."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wherry.tasks.registry import get_task

from ....support import media, pictures, tiny
from .case import Case, Changed, Row
from .files import BROKEN_IMAGES, IMAGES, beyond_pixels
from .text import LONG

_LABELS = [
    ["a cat", "the quick brown fox over a lazy dog"],
    ["red car", "a cat", "london"],
    ["london", "dog"],
    ["a cat", "the quick brown fox over a lazy dog"],
]
_LABELLED = [
    {**row, "candidate_labels": labels} for row, labels in zip(IMAGES, _LABELS, strict=True)
]
_LONG_LABEL: Row = {"candidate_labels": ["fox", LONG], "truncate": False}
_SEGMENTS: Row = {"threshold": 0.0, "mask_threshold": 0.0, "overlap_mask_area_threshold": 0.0}
_BEYOND = beyond_pixels()
_FILES = tiny.images()

#: What a search for masks is told, so that it finds some.
_SEARCH: Row = {
    "pred_iou_thresh": 0.0,
    "stability_score_thresh": 0.0,
    "stability_score_offset": 0.125,
    "mask_threshold": 1.0,
    "crops_nms_thresh": 0.9,
}
_CROPS: Row = {"crops_n_layers": 1}


def _frames(count: int, size: tuple[int, int], seed: int = 0) -> list[bytes]:
    return [tiny.encode(tiny.noise(*size, seed=seed + number)) for number in range(count)]


#: A film of a phone, and what to follow in it.
_FILMED: Row = {
    "videos": [[media.film([np.asarray(tiny.noise(64, 48, seed=n)) for n in range(4)])]],
    "objects_ids": [[1]],
    "frame_indexes": [[0]],
    "boxes": [[[5, 6, 30, 30]]],
}


def _drawn(line: str) -> bytes:
    image = Image.new("RGB", (240, 60), "white")
    font = ImageFont.load_default(28)
    ImageDraw.Draw(image).text((12, 10), line, fill="black", font=font)
    return tiny.encode(image)


#: Two pages to read.
_PAGES: Row = {
    "images": [pictures.paged([Image.open(io.BytesIO(_drawn(line))) for line in ("No", "cat")])]
}

_BOXED: Row = {**IMAGES[2], "boxes": [[[3, 4, 100, 30]]]}

CASES: dict[str, Case] = {
    "depth-estimation": Case(
        rows=IMAGES,
        broken=BROKEN_IMAGES,
        beyond=[beyond_pixels(get_task("depth-estimation").max_row_cost)],
    ),
    "image-anonymization": Case(
        rows=IMAGES,
        fixed={"threshold": 0.0},
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND],
        changed={
            "strategy": Changed(value="black_box"),
            "blur_radius": Changed(value=3),
            "threshold": Changed(value=1.0),
            "classes": Changed(value=[]),
        },
    ),
    "image-classification": Case(
        rows=IMAGES,
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND],
        changed={"top_k": Changed(value=1)},
    ),
    "image-feature-extraction": Case(
        rows=IMAGES,
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND],
        changed={"pool": Changed(value=True)},
    ),
    "image-segmentation": Case(
        rows=IMAGES,
        fixed=_SEGMENTS,
        broken=BROKEN_IMAGES,
        beyond=[beyond_pixels(get_task("image-segmentation").max_row_cost)],
        changed={
            "threshold": Changed(value=0.9),
            "mask_threshold": Changed(value=0.9),
            "overlap_mask_area_threshold": Changed(value=0.9),
            "subtask": Changed(value="semantic"),
        },
    ),
    "image-to-image": Case(
        rows=[
            {"images": [tiny.encode(tiny.noise(*size))]} for size in ((20, 14), (16, 16), (9, 23))
        ],
        broken=BROKEN_IMAGES,
        beyond=[beyond_pixels(get_task("image-to-image").max_row_cost)],
    ),
    "keypoint-detection": Case(
        rows=[
            {**IMAGES[0], "boxes": [[[5, 5, 45, 60], [0, 10, 20, 30]]]},
            {**IMAGES[1], "boxes": [[]]},
            {**IMAGES[2], "boxes": [[[3, 4, 100, 30]]]},
            {**IMAGES[3], "boxes": [[[-20, 60, 90, 300]]]},
        ],
        broken=[*BROKEN_IMAGES, ({"boxes": [[[60, 10, 70, 20]]]}, "box")],
        beyond=[_BEYOND],
        changed={"threshold": Changed(value=0.5)},
    ),
    "keypoint-detection-superpoint": Case(
        rows=IMAGES,
        broken=[*BROKEN_IMAGES, ({"boxes": [[[5, 5, 45, 60]]]}, "boxes: ")],
        beyond=[_BEYOND],
        changed={"threshold": Changed(value=0.025)},
    ),
    "keypoint-detection-yolo": Case(
        rows=IMAGES,
        broken=[*BROKEN_IMAGES, ({"boxes": [[[5, 5, 45, 60]]]}, "boxes: ")],
        beyond=[_BEYOND],
        changed={"threshold": Changed(value=0.5)},
    ),
    "keypoint-matching": Case(
        rows=[
            {"pairs": [[_FILES[first], _FILES[second]]]}
            for first, second in ((0, 1), (2, 3), (3, 0), (1, 2))
        ],
        broken=[
            ({"pairs": [[_FILES[0], b""]]}, "image 1: the image is empty"),
            ({"pairs": [[b"junk", _FILES[0]]]}, "image 0: not an image of a known format"),
        ],
        beyond=[({"pairs": [[_FILES[0], *_BEYOND[0]["images"]]]}, _BEYOND[1])],
        changed={"threshold": Changed(value=0.99)},
    ),
    "mask-generation": Case(
        rows=[
            {**IMAGES[0], "points": [[[[20, 30], [5, 6]]]], "labels": [[[1, 0]]]},
            {**IMAGES[1], "points": [[[[10, 10]], [[50, 40]]]]},
            _BOXED,
            {**IMAGES[2]},
        ],
        fixed=_SEARCH,
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND],
        changed={
            "multimask_output": Changed(value=False),
            "return_logits": Changed(value=True, rows=[_BOXED]),
            "return_image_embedding": Changed(value=True, rows=[_BOXED]),
            "mask_threshold": Changed(value=-0.5),
            "pred_iou_thresh": Changed(value=0.5),
            "stability_score_thresh": Changed(value=0.5),
            "stability_score_offset": Changed(value=0.5, beside={"stability_score_thresh": 0.125}),
            "crops_nms_thresh": Changed(value=0.3, beside=_CROPS),
            "crops_n_layers": Changed(value=1),
            "crop_overlap_ratio": Changed(value=0.1, beside=_CROPS),
            "crop_n_points_downscale_factor": Changed(value=2, beside=_CROPS),
        },
    ),
    "object-detection": Case(
        rows=IMAGES,
        fixed={"threshold": 0.0},
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND],
        changed={"threshold": Changed(value=1.0)},
    ),
    "optical-character-recognition": Case(
        rows=[{"images": [_drawn(line)]} for line in ("Hello", "a cat and a dog")],
        fixed={"threshold": 0.0},
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND],
        changed={
            "threshold": Changed(value=1.0),
            "frames": Changed(value="first", beside={"dpi": 72}, rows=[_PAGES]),
            "dpi": Changed(value=36, beside={"frames": "first"}, rows=[_PAGES]),
        },
    ),
    "video-classification": Case(
        rows=[
            {"videos": [_frames(9, (90, 60))]},
            {"videos": [[tiny.moving(_frames(5, (40, 70), seed=20), "WEBP", lossless=True)]]},
            {"videos": [_frames(4, (64, 64), seed=30)]},
            {"videos": [_frames(6, (120, 40), seed=40)]},
        ],
        broken=[
            ({"videos": [[b""]]}, "the image is empty"),
            ({"videos": [[*_frames(3, (90, 60)), b"junk"]]}, "frame 3: not an image of a known"),
            ({"videos": [[*_frames(3, (90, 60)), *_frames(1, (9, 9))]]}, "frame 3: "),
            ({"videos": [[tiny.moving(_frames(5, (40, 70)), "GIF")[:-2000]]]}, "cannot be read"),
            ({"frame_sampling_rate": 9}, "frame_sampling_rate: 4 .* first 36, and the video has 9"),
        ],
        beyond=[({"videos": [[*_BEYOND[0]["images"]] * 3]}, _BEYOND[1])],
        changed={
            "top_k": Changed(value=1),
            "num_frames": Changed(value=2),
            "frame_sampling_rate": Changed(
                value=2, rows=[{"videos": [_frames(9, (90, 60))]}, {"videos": [_frames(8, (9, 9))]}]
            ),
        },
    ),
    "video-mask-generation": Case(
        rows=[
            {
                "videos": [_frames(3, (90, 60))],
                "objects_ids": [[7, 3]],
                "frame_indexes": [[1, 2]],
                "points": [[[[20, 30], [60, 10]], [[70, 40]]]],
                "labels": [[[1, 0], [1]]],
            },
            {
                "videos": [_frames(2, (40, 70), seed=1)],
                "objects_ids": [[1]],
                "frame_indexes": [[0]],
                "boxes": [[[5, 6, 30, 60]]],
            },
        ],
        broken=[
            ({"videos": [[*_frames(2, (90, 60)), b"junk"]]}, "not an image of a known format"),
            ({"videos": [[*_frames(2, (90, 60)), *_frames(1, (9, 9))]]}, "frame 2: "),
        ],
        beyond=[({"videos": [[*_BEYOND[0]["images"]] * 3]}, _BEYOND[1])],
        changed={
            "fps": Changed(value=5, rows=[_FILMED, {**_FILMED, "objects_ids": [[2]]}]),
        },
    ),
    "zero-shot-image-classification": Case(
        rows=_LABELLED,
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND, (_LONG_LABEL, r"\d+ tokens")],
        changed={"hypothesis_template": Changed(value="hello {}")},
    ),
    "zero-shot-object-detection": Case(
        rows=_LABELLED,
        fixed={"threshold": 0.0},
        broken=BROKEN_IMAGES,
        beyond=[_BEYOND, (_LONG_LABEL, r"\d+ tokens")],
        changed={"threshold": Changed(value=1.0)},
    ),
}
