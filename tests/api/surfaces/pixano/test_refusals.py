"""What Pixano's surface refuses, and that no rubbish is a fault of the server."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherry.api.surfaces.pixano.capabilities import BY_NAME, BY_PATH
from wherry.api.surfaces.pixano.responses import Wire

from ...conftest import Worker
from .asks import ASKS, IMAGE, Document

KEYFRAME = {"frame_index": 0, "points": [{"x": 1, "y": 1, "label": 1}]}
REFUSALS: list[tuple[str, Document, str]] = [
    ("segmentation", {"model": "embedding"}, "does embedding, not segmentation"),
    ("segmentation", {"model": None}, "model:"),
    ("segmentation", {"image": "https://example.org/a.png"}, "image: URLs"),
    ("segmentation", {"image": "/data/a.png!"}, "image: not base64"),
    ("segmentation", {"points": [[[1]]]}, "points"),
    ("segmentation", {"labels": [[2]]}, "labels"),
    ("segmentation", {"labels": [[1, 1]]}, "labels"),
    ("segmentation", {"boxes": [[1, 2, 3]]}, "boxes"),
    ("segmentation", {"mask_input": {"values": [1], "shape": [1]}}, "mask_input: the shape"),
    ("segmentation", {"mask_input": {"values": [1], "shape": [2, 1]}}, "mask_input: 1 values"),
    ("segmentation", {"mask_input": {"values": ["a"], "shape": [1, 1]}}, "mask_input: expected"),
    ("segmentation", {"mask_input": [1]}, "mask_input: expected an array"),
    (
        "segmentation",
        {"mask_input": {"values": [1] * 6, "shape": [1, 3, 1, 2]}},
        "give the one that is to be refined",
    ),
    (
        "segmentation",
        {"mask_input": {"data": "§", "shape": [1, 1], "dtype": "float32"}},
        "mask_input: data: not base64",
    ),
    (
        "segmentation",
        {"multimask_output": True, "num_multimask_outputs": 2},
        "num_multimask_outputs",
    ),
    ("tracking", {"video": IMAGE}, "video: send its frames"),
    ("tracking", {"video": []}, "frame_indexes"),
    ("tracking", {"objects_ids": []}, "objects_ids"),
    ("tracking", {"frame_indexes": [2]}, "frame_indexes: 2"),
    ("tracking", {"frame_indexes": [-1]}, "frame_indexes: -1"),
    ("tracking", {"video": [IMAGE, "§"]}, "video.1"),
    ("tracking", {"interval": {"start_frame": 1, "end_frame": 1}}, "interval"),
    ("tracking", {"interval": {"start_frame": 1}}, "end"),
    (
        "tracking",
        {"propagate": False, "objects_ids": [1, 2], "frame_indexes": [0, 1]},
        "propagate",
    ),
    ("tracking", {"keyframes": [{**KEYFRAME, "mask": {"size": [1, 1], "counts": "1"}}]}, "masks"),
    ("tracking", {"keyframes": [{"frame_index": 0}]}, "keyframes"),
    (
        "tracking",
        {
            "objects_ids": [1, 2],
            "keyframes": [
                KEYFRAME,
                {"frame_index": 0, "box": {"x": 0, "y": 0, "width": 1, "height": 1}},
            ],
        },
        "keyframes",
    ),
    ("detection", {"classes": []}, "classes"),
    ("detection", {"classes": " . "}, "classes"),
    ("detection", {"model": "object-detection"}, "classes of its own"),
    ("detection", {"box_threshold": 2}, "threshold"),
    ("vlm", {"images": None}, "images: one"),
    ("vlm", {"images": [IMAGE, IMAGE]}, "images: one"),
    ("vlm", {"max_new_tokens": 0}, "max_new_tokens"),
    ("vlm", {"temperature": -1.0}, "temperature"),
    ("vlm", {"prompt": []}, "prompt"),
    ("vlm", {"prompt": [{"role": "system", "content": "x"}]}, "prompt"),
    ("vlm", {"prompt": [{"role": "user", "content": 1}]}, "prompt.0.content.0"),
    ("embedding", {"text": None}, "image, text"),
    ("embedding", {"image": IMAGE}, "image, text"),
    ("embedding", {"model": "image-feature-extraction"}, "embeds images"),
    ("embedding", {"text": None, "image": IMAGE}, "embeds texts"),
    ("ner", {"text": ["a"]}, "text"),
]


@pytest.mark.parametrize(("capability", "change", "text"), REFUSALS)
def test_a_refusal_names_the_field(
    capability: str, change: Document, text: str, http: httpx.Client
) -> None:
    answer = http.post(f"/pixano/inference/{capability}/", json={**ASKS[capability], **change})
    assert answer.status_code == 400, answer.text
    assert text in answer.json()["error"]


# --- Rubbish -------------------------------------------------------------------------------------


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.just(IMAGE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@st.composite
def rubbish(draw: st.DrawFn) -> tuple[str, Any]:
    """A capability, and a request of it with some fields turned to anything."""
    name = draw(st.sampled_from(sorted(ASKS)))
    names = st.sampled_from(
        [*ASKS[name], "keyframes", "interval", "boxes", "image", "mask_input", "prompt"]
    )
    changed = draw(st.dictionaries(names, JSON, max_size=3))
    ask = draw(st.just({**ASKS[name], **changed}) | JSON)
    return name, draw(st.sampled_from([Wire.CAMEL.write(ask), ask]))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=rubbish())
def test_no_json_is_a_fault_of_the_server(
    drawn: tuple[str, Any], http: httpx.Client, serving: Worker
) -> None:
    capability, ask = drawn
    path = BY_NAME[capability].path
    url = f"/pixano056/tasks/{path}/" if path in BY_PATH else f"/pixano/v1/inference/{capability}"
    headers = {"Content-Type": "application/json"}
    answer = http.post(url, content=json.dumps(ask).encode(), headers=headers)
    assert answer.status_code < 500, (answer.text, ask)
