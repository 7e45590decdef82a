"""What the API page shows of runs, uploads and formats."""

from __future__ import annotations

from typing import Any

from .openapi_examples import content, route

_EVENTS = "text/event-stream"
_ID = "run_01977a3e5f0c7cc29d0e3f4b5a6c7d8e"

_RUN: dict[str, Any] = {
    "id": _ID,
    "name": "photos",
    "state": "running",
    "error": None,
    "model": "object-detection",
    "version": "1",
    "task": "object-detection",
    "format": "coco-detection",
    "source": "s3://bucket/photos",
    "query": "",
    "order_by": "",
    "out": "",
    "parameters": {"threshold": 0.5},
    "inputs": {},
    "columns": {"id": "", "fields": {}},
    "every": None,
    "frames": None,
    "split": {},
    "images": "",
    "media_prefix": "",
    "overwrite": False,
    "shard_rows": 0,
    "max_errors": None,
    "deadline_s": None,
    "kept_s": 2_592_000,
    "webhook_host": None,
    "tenant": None,
    "priority": 9,
    "created_at": "2026-11-29T18:00:00.000Z",
    "started_at": "2026-11-29T18:00:00.100Z",
    "ended_at": None,
    "expires_at": None,
    "rows": {
        "total": 200_000,
        "read": 51_200,
        "answered": 50_910,
        "failed": 2,
        "reused": 0,
        "in_flight": 288,
    },
    "rows_per_s": 812.5,
    "estimated_end_at": "2026-11-29T18:04:06.000Z",
    "device_seconds": 61.2,
    "max_device_seconds": None,
    "shards": {"total": 20, "done": 5, "running": 2},
    "labels": {"person": 40_112},
    "scores": [0] * 20,
    "first_labels": False,
    "error_types": {"invalid_row": 2},
    "warned": 0,
    "left_out": {".txt": 1},
    "notes": [],
    "waiting_for": None,
    "output": None,
    "exports": {},
    "reuse": True,
    "sample": 0,
    "held": False,
    "follow": None,
    "looked_at": None,
    "near_duplicates": False,
    "compare": None,
    "metadata": {},
    "cloned_from": None,
    "links": {"self": f"/v2/runs/{_ID}", "rows": f"/v2/runs/{_ID}/rows"},
}
_ROW = {
    "index": 0,
    "id": "a.jpg",
    "path": "s3://bucket/photos/a.jpg",
    "size": [640, 480],
    "state": "answered",
    "error": None,
    "warning": "",
    "labels": [{"label": "person", "score": 0.98}],
    "score": 0.98,
    "answer": {"outputs": []},
    "frame": None,
    "text": "",
    "picture_url": f"/v2/runs/{_ID}/rows/0/picture?shard=0",
}
_ASKED = {
    "source": "s3://bucket/photos",
    "model": "object-detection",
    "format": "coco-detection",
    "parameters": {"threshold": 0.5},
}
_FOLLOWING = {"source": "s3://bucket/incoming", "model": "object-detection", "follow": True}
_SHARD = {
    "number": 0,
    "state": "done",
    "first": 0,
    "rows": 10_000,
    "done": 9_999,
    "failed": 1,
    "reused": 0,
    "in_flight": 0,
    "device_seconds": 12.1,
    "worker": None,
    "ended_at": "2026-11-29T18:00:14.000Z",
}
_UPLOAD = {
    "id": "upload_01977a3e5f0c7cc29d0e3f4b5a6c7d8e",
    "name": "",
    "files": 2,
    "bytes": 204_812,
    "archive": None,
    "created_at": "2026-11-29T18:00:00.000Z",
    "expires_at": "2026-12-06T18:00:00.000Z",
    "source": "upload:upload_01977a3e5f0c7cc29d0e3f4b5a6c7d8e",
}
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

CREATE = route(
    (201, "It is written down, and begins.", content(_RUN)),
    (200, "It was there already, by the same id or Idempotency-Key.", content(_RUN)),
    bad=(400, 404, 409, 413, 503),
    bodies={"photos": _ASKED, "what comes": _FOLLOWING},
)
LIST = route((200, "A page of runs.", content({"runs": [_RUN], "after": None})), bad=(400, 503))
VIEW = route((200, "The run.", content(_RUN)), bad=(400, 404, 503))
COMMAND = route((200, "The run, as it is now.", content(_RUN)), bad=(404, 503))
FINISH = route((200, "The run, as it is now.", content(_RUN)), bad=(400, 404, 503))
RETRY = route((200, "The run, which goes on.", content(_RUN)), bad=(404, 409, 503))
CLONE = route(
    (201, "The new run.", content(_RUN)),
    (200, "It was there already, by the same id or Idempotency-Key.", content(_RUN)),
    bad=(400, 404, 409, 413, 503),
    bodies={"another threshold": {"parameters": {"threshold": 0.7}}},
)
FORGET = route((204, "It is gone.", {}), bad=(404, 409, 503))
SHARDS = route((200, "Its shards.", content({"shards": [_SHARD]})), bad=(404, 503))
EVENTS = route(
    (200, "An event for each change.", content('event: run\ndata: {"id": ...}', _EVENTS)),
    bad=(404, 503),
)
LIST_EVENTS = route(
    (200, "An event for the runs that changed.", content("event: runs\ndata: {...}", _EVENTS)),
    bad=(400, 503),
)
ROWS = route((200, "Some rows.", content({"rows": [_ROW], "after": None})), bad=(400, 404, 503))
PICTURE = route(
    (
        200,
        "The picture, 256 pixels at its longest side.",
        {"image/webp": _BINARY, "image/jpeg": _BINARY},
    ),
    bad=(400, 404, 503),
)
COMPARE = route(
    (
        200,
        "Rows as both answered them, and what all that were compared come to.",
        content(
            {
                "rows": [{"index": 0, "id": "a.jpg", "a": _ROW, "b": _ROW, "agreement": 1.0}],
                "after": None,
                "agreement": 1.0,
                "same_first_label": 1.0,
                "counted": 1,
                "of": 1,
            }
        ),
    ),
    bad=(400, 404, 503),
)
_QUALITY: dict[str, Any] = {
    "stretches": {
        "width": 400,
        "labels": ["person"],
        "stretches": [
            {
                "first": 0,
                "rows": 400,
                "failed": 2,
                "labels": [301],
                "other_labels": 90,
                "no_label": 7,
                "mean_score": 0.91,
                "scores": [0] * 20,
            }
        ],
    },
    "drift": [
        {
            "first": 40_000,
            "end": 42_000,
            "what": "labels",
            "distance": 0.41,
            "told": "'person' 12%, elsewhere 75%",
        }
    ],
    "failures": [
        {
            "error_type": "invalid_row",
            "reason": "it is no picture",
            "rows": 2,
            "examples": ["a.jpg"],
        }
    ],
    "near_duplicates": {
        "pictures": 51_200,
        "duplicates": 1,
        "blank": 0,
        "groups": 1,
        "listed": [
            {
                "count": 2,
                "rows": [
                    {"index": 0, "id": "a.jpg", "picture_url": None},
                    {"index": 9, "id": "b.jpg", "picture_url": None},
                ],
            }
        ],
    },
    "compared": None,
}
QUALITY = route((200, "What is known so far.", content(_QUALITY)), bad=(404, 503))
REPORT = route((200, "The page.", {"text/html": _BINARY}), bad=(404, 503))
PICK = route(
    (
        200,
        "A JSON list of tasks to import, or lines of JSON.",
        {"application/json": _BINARY, "application/jsonl": _BINARY},
    ),
    bad=(400, 404, 503),
)
OUTPUT = route(
    (
        200,
        "The file, or a zip of the files.",
        {"application/octet-stream": _BINARY, "application/zip": _BINARY},
    ),
    (202, "A worker makes it; ask again.", content(_RUN)),
    bad=(400, 404, 409, 503),
)
FORMATS = route(
    (
        200,
        "The formats.",
        content(
            {
                "formats": [
                    {
                        "name": "jsonl",
                        "title": "JSON lines",
                        "suffix": ".jsonl",
                        "is_folder": False,
                    }
                ]
            }
        ),
    ),
    bad=(400,),
)
UPLOAD: dict[str, Any] = {
    **route((201, "It is in the store.", content(_UPLOAD)), bad=(400, 413, 503)),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": {"type": "object"}},
                "application/zip": _BINARY,
                "application/x-tar": _BINARY,
            },
        }
    },
}
UPLOAD_VIEW = route((200, "What is known of it.", content(_UPLOAD)), bad=(404, 503))
UPLOAD_GONE = route((204, "It is gone.", {}), bad=(404, 409, 503))
