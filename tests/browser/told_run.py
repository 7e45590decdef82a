"""A run of a hundred thousand rows, as the API would tell of it: a fleet takes an hour for them."""

from __future__ import annotations

import io
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image, ImageDraw
from playwright.sync_api import Page, Route

ID = "run_told"
ROWS = 100_000

#: Labels, and the size of each row's picture in pixels.
LABELS = ("circle", "square", "triangle", "star")
SIZE = (640, 480)

_AT = "2026-01-01T00:00:00.000Z"


def tell(page: Page, **changed: Any) -> None:
    """Have a page hear of the run, but for what is changed: its calls are answered here."""
    run = view(**changed)
    page.route(re.compile(rf"/v2/runs/{ID}(\?|$)"), lambda route: route.fulfill(json=run))
    event = f"event: run\ndata: {json.dumps(run)}\n\n"
    page.route(
        re.compile(rf"/v2/runs/{ID}/events"),
        lambda route: route.fulfill(body=event, content_type="text/event-stream"),
    )
    page.route(re.compile(rf"/v2/runs/{ID}/quality"), lambda route: route.fulfill(json=quality()))
    page.route(re.compile(rf"/v2/runs/{ID}/rows\?"), _rows)
    page.route(re.compile(rf"/v2/runs/{ID}/rows/\d+/picture"), _picture)


def view(**changed: Any) -> dict[str, Any]:
    """The run: a detector of drawn shapes, at its end."""
    return {
        "id": ID,
        "name": "shapes",
        "state": "succeeded",
        "error": None,
        "model": "object-detection",
        "version": "1",
        "task": "object-detection",
        "format": "coco-detection",
        "source": "s3://bucket/shapes/",
        "out": "",
        "parameters": {"threshold": 0.5},
        "inputs": {},
        "tenant": None,
        "priority": 9,
        "created_at": _AT,
        "started_at": _AT,
        "ended_at": "2026-01-01T01:00:00.000Z",
        "expires_at": "2026-02-01T00:00:00.000Z",
        "rows": {
            "total": ROWS,
            "read": ROWS,
            "answered": ROWS - ROWS // 50,
            "failed": ROWS // 50,
            "reused": 0,
            "in_flight": 0,
        },
        "rows_per_s": 0.0,
        "estimated_end_at": None,
        "device_seconds": 812.4,
        "max_device_seconds": None,
        "shards": {"total": 25, "done": 25, "running": 0},
        "labels": {label: ROWS // (2 + at) for at, label in enumerate(LABELS)},
        "scores": [at * at * 30 for at in range(20)],
        "error_types": {"invalid_row": ROWS // 50},
        "warned": 0,
        "notes": [],
        "output": {"files": [{"name": "shapes.json", "bytes": 31_000_000}], "place": ""},
        "sample": 0,
        "held": False,
        "metadata": None,
        "cloned_from": None,
        "links": {},
        **changed,
    }


def quality() -> dict[str, Any]:
    """What its shards tell: stars are few but in some rows, and pictures there are twice."""
    stretches = [
        {
            "first": 2500 * at,
            "rows": 2500,
            "failed": 50,
            "labels": [1000, 700, 500, 200] if at != 16 else [10, 10, 10, 2300],
            "other_labels": 30,
            "no_label": 20,
            "mean_score": 0.8 if at % 10 else None,
            "scores": [0] * 20,
        }
        for at in range(40)
    ]
    picture = f"/v2/runs/{ID}/rows/"
    alike = [
        {"index": at, "id": f"{at:06}.png", "picture_url": f"{picture}{at}/picture" if at else None}
        for at in range(6)
    ]
    counts = [[900, 40, 0, 0, 3], [10, 700, 0, 0, 0], [0, 0, 500, 0, 0], [0] * 5, [0, 2, 0, 0, 9]]
    return {
        "stretches": {"width": 2500, "labels": list(LABELS), "stretches": stretches},
        "drift": [
            {
                "first": 40_000,
                "end": 42_500,
                "what": "labels",
                "distance": 0.6,
                "told": "'star' 94%, elsewhere 8%",
            }
        ],
        "failures": [
            {
                "error_type": "invalid_row",
                "reason": "row N: the picture is cut off",
                "rows": ROWS // 50,
                "examples": ["000007.png", "000057.png"],
            }
        ],
        "near_duplicates": {
            "pictures": 25_000,
            "duplicates": 90,
            "blank": 3,
            "groups": 20,
            "listed": [{"count": 9 - at, "rows": alike[: 6 - at % 5]} for at in range(8)],
        },
        "compared": {
            "run": "an earlier one",
            "model": "other",
            "agreement": 0.8123,
            "same_first_label": 0.9,
            "counted": 99_000,
            "of": ROWS,
            "confusion": {"labels": list(LABELS), "counts": counts},
        },
    }


def row(index: int) -> dict[str, Any]:
    """A row of the sheet: two boxes where its picture has shapes, or an error."""
    told = {
        "index": index,
        "id": f"{index:06}.png",
        "path": f"shapes/{index:06}.png",
        "size": list(SIZE),
        "warning": "",
        "text": "",
        "frame": None,
        "picture_url": f"/v2/runs/{ID}/rows/{index}/picture",
    }
    if index % 50 == 7:
        error = {"error_type": "invalid_row", "message": f"row {index}: the picture is cut off"}
        return {
            **told,
            "state": "failed",
            "error": error,
            "labels": [],
            "score": None,
            "answer": None,
        }
    labels = [LABELS[index % 4], LABELS[(index + 1) % 4]]
    scores = [0.99 - index % 40 / 100, 0.55]
    boxes = [edge for box in _boxes(index) for edge in box]
    outputs = [
        {"name": "label", "datatype": "BYTES", "shape": [1, 2], "data": labels},
        {"name": "score", "datatype": "FP32", "shape": [1, 2], "data": scores},
        {"name": "box", "datatype": "FP32", "shape": [1, 2, 4], "data": boxes},
    ]
    return {
        **told,
        "state": "answered",
        "error": None,
        "labels": [{"label": n, "score": s} for n, s in zip(labels, scores, strict=True)],
        "score": scores[0],
        "answer": {"outputs": outputs},
    }


def _boxes(index: int) -> list[list[int]]:
    x, y = 40 + index * 37 % 300, 30 + index * 53 % 200
    return [[x, y, x + 160, y + 160], [420, 260, 600, 440]]


def picture(index: int) -> bytes:
    """Its picture, as small as the fleet keeps it: what the boxes say is where they say."""
    image = Image.new("RGB", SIZE, (236, 238, 240))
    draw = ImageDraw.Draw(image)
    for place, box in enumerate(_boxes(index)):
        draw.ellipse(box, fill=((index * 40 + place * 90) % 256, 110, 160))
    held = io.BytesIO()
    image.resize((256, 192)).save(held, "JPEG", quality=80)
    return held.getvalue()


def _rows(route: Route) -> None:
    query = parse_qs(urlsplit(route.request.url).query)
    after, limit = int(query.get("after", ["-1"])[0]), int(query["limit"][0])
    found: list[dict[str, Any]] = []
    last = after
    for index in range(after + 1, ROWS):
        if len(found) == limit:
            break
        last = index
        if _wanted(told := row(index), query):
            found.append(told)
    route.fulfill(json={"rows": found, "after": str(last) if last < ROWS - 1 else None})


def _wanted(told: dict[str, Any], query: dict[str, list[str]]) -> bool:
    if "failed" in query and told["state"] != "failed":
        return False
    if "label" in query and query["label"][0] not in [one["label"] for one in told["labels"]]:
        return False
    least = float(query.get("min_score", ["-1"])[0])
    most = float(query.get("max_score", ["2"])[0])
    score = told["score"]
    return ("min_score" not in query and "max_score" not in query) or (
        score is not None and least <= score <= most
    )


def _picture(route: Route) -> None:
    index = int(route.request.url.split("/")[-2])
    route.fulfill(body=picture(index), content_type="image/jpeg")
