"""What the API page shows of the operator's routes for workers."""

from __future__ import annotations

from .openapi_examples import content, route

_ID = "vision-0@gpu1#5f0c7cc2"
_WORKER = {
    "id": _ID,
    "node": "vision-0@gpu1",
    "host": "gpu1",
    "pid": 4711,
    "version": "0.1.0",
    "queue_format": [1, 1],
    "alive": True,
    "families": ["vision"],
    "device": "cuda:0",
    "models": ["image-classification"],
    "loading": [],
    "state": "ready",
    "reason": "",
    "running": 3,
    "busy_share": 0.72,
    "batch_fill": 0.9,
    "last_seen_s": 1.4,
}
_API = {
    "id": "01977a3e-5f0c-7cc2-9d0e-3f4b5a6c7d8e",
    "host": "front1",
    "version": "0.1.0",
    "queue_format": [1, 1],
    "reason": "",
    "last_seen_s": 0.8,
}

LIST = route(
    (
        200,
        "The processes of the fleet.",
        content({"workers": [_WORKER], "apis": [_API], "at": "2026-11-21T06:00:00.000Z"}),
    ),
    bad=(503,),
)
ONE = route((200, "The worker.", content(_WORKER)), bad=(404, 503))
DRAIN = route(
    (
        202,
        "It is asked to.",
        content({"node": "vision-0@gpu1", "workers": [_ID], "end": False}),
    ),
    bad=(400, 404, 409, 503),
)
UNDRAIN = route((202, "It may claim again.", content({"node": "vision-0@gpu1"})), bad=(404, 503))
