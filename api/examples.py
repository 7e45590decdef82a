"""What the API page shows: a request body per task, ready to try."""

from __future__ import annotations

import base64
from typing import Any

#: A red PNG of 2 x 2 pixels: small enough to read, real enough to classify.
_PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a730000001649444154789c"
        "63fccfc0c0c0c0c0c4c0c0c0c0c000000d1d01036ac29be90000000049454e44ae426082"
    )
).decode()


def _image(**parameters: Any) -> dict[str, Any]:
    tensor = {
        "name": "image",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": [_PNG],
    }
    return {"parameters": parameters, "inputs": [tensor]}


_TEXTS = {
    "inputs": [
        {
            "name": "text",
            "shape": [2],
            "datatype": "BYTES",
            "data": ["A boat waits at the stairs.", "A ferry is moored by the steps."],
        }
    ]
}

REQUESTS: dict[str, dict[str, Any]] = {
    "image-classification": _image(top_k=3),
    "object-detection": _image(threshold=0.5),
    "embedding": _TEXTS,
}


def _body(examples: dict[str, Any]) -> dict[str, Any]:
    content = {
        "application/json": {
            "schema": {"type": "object"},
            "examples": {name: {"value": value} for name, value in examples.items()},
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
    return {"requestBody": {"required": True, "content": content}}


INFER = _body(REQUESTS)
BATCH = _body(
    {
        "two models": {
            "jobs": [
                {"model_name": name, "request": REQUESTS[name]}
                for name in ("image-classification", "embedding")
            ]
        }
    }
)
