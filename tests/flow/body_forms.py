"""Large requests of every surface: a path, and the body and headers that bring a file there."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

Request = tuple[bytes, dict[str, str]]

#: The models that the paths name, each called as its task.
TASKS = (
    "automatic-speech-recognition",
    "embedding",
    "image-classification",
    "image-text-to-text",
    "mask-generation",
    "object-detection",
)

#: Rows of a text: one row may not have it all.
ROWS = 1000

_BOXES = (
    '<View><Image name="i" value="$image"/><RectangleLabels name="m" toName="i">'
    '<Label value="boat"/></RectangleLabels></View>'
)


class Surface(NamedTuple):
    """Where a file is sent, and how."""

    path: str
    form: Callable[[bytes], Request]


def _json(document: Any) -> Request:
    body = json.dumps(document, ensure_ascii=False).encode()
    return body, {"content-type": "application/json"}


def _base64(file: bytes) -> str:
    return base64.b64encode(file).decode()


def _uri(file: bytes) -> str:
    return "data:image/png;base64," + _base64(file)


def _oip(name: str, data: list[str]) -> dict[str, Any]:
    tensor = {"name": name, "shape": [len(data)], "datatype": "BYTES", "data": data}
    return {"inputs": [tensor]}


def _oip_binary(file: bytes) -> Request:
    sized = {"binary_data_size": len(file) + 4}
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": sized}
    header = json.dumps({"inputs": [tensor]}).encode()
    headers = {"inference-header-content-length": str(len(header))}
    return header + struct.pack("<I", len(file)) + file, headers


def _batch(file: bytes) -> Request:
    eighth = _oip("image", [_base64(file[: len(file) // 8])])
    return _json({"jobs": [{"model_name": "image-classification", "request": eighth}] * 8})


def _batch_binary(file: bytes) -> Request:
    eighth = file[: len(file) // 8]
    sized = {"binary_data_size": len(eighth) + 4}
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": sized}
    entry = {"model_name": "image-classification", "request": {"inputs": [tensor]}}
    header = json.dumps({"jobs": [entry] * 8}).encode()
    headers = {"inference-header-content-length": str(len(header))}
    return header + (struct.pack("<I", len(eighth)) + eighth) * 8, headers


def _form(field: str, value: str, name: str) -> Callable[[bytes], Request]:
    head = (
        f'--x\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'
    )
    headers = {"content-type": "multipart/form-data; boundary=x"}
    return lambda file: (head.encode() + file + b"\r\n--x--\r\n", headers)


def _chat(file: bytes) -> Request:
    part = {"type": "image_url", "image_url": {"url": _uri(file)}}
    return _json({"model": "image-text-to-text", "messages": [{"role": "user", "content": [part]}]})


def _instill(file: bytes) -> Request:
    return _json(
        {"taskInputs": [{"data": {"type": "image-base64", "image-base64": _base64(file)}}]}
    )


def _label_studio(file: bytes) -> Request:
    return _json({"label_config": _BOXES, "tasks": [{"id": 1, "data": {"image": _uri(file)}}]})


def texts(size: int, sample: str = "a") -> list[str]:
    """Rows of text, `size` bytes together, which say the sample again and again."""
    return [sample * (size // ROWS // len(sample.encode()) or 1)] * ROWS


def _oip_text(sample: str) -> Surface:
    path = "/v2/models/embedding/jobs"
    return Surface(path, lambda file: _json(_oip("text", texts(len(file), sample))))


#: Those that take a file or plain text, by name.
SURFACES: dict[str, Surface] = {
    "oip json": Surface(
        "/v2/models/image-classification/jobs", lambda file: _json(_oip("image", [_base64(file)]))
    ),
    "oip binary": Surface("/v2/models/image-classification/jobs", _oip_binary),
    "oip text": _oip_text("a"),
    "oip batch": Surface("/v2/jobs:batch", _batch),
    "oip batch binary": Surface("/v2/jobs:batch", _batch_binary),
    "hugging face file": Surface(
        "/models/image-classification", lambda file: (file, {"content-type": "image/png"})
    ),
    "hugging face json": Surface(
        "/models/image-classification", lambda file: _json({"inputs": _base64(file)})
    ),
    "hugging face text": Surface(
        "/models/embedding", lambda file: _json({"inputs": texts(len(file))})
    ),
    "pixano json": Surface(
        "/pixano/inference/segmentation/",
        lambda file: _json({"model": "mask-generation", "image": _base64(file)}),
    ),
    "pixano form": Surface(
        "/pixano/inference/segmentation/binary",
        _form("metadata", '{"model":"mask-generation"}', "image"),
    ),
    "openai sound": Surface(
        "/v1/audio/transcriptions", _form("model", "automatic-speech-recognition", "file")
    ),
    "openai image": Surface("/v1/chat/completions", _chat),
    "openai texts": Surface(
        "/v1/embeddings", lambda file: _json({"model": "embedding", "input": texts(len(file))})
    ),
    "instill": Surface("/v1alpha/namespaces/me/models/object-detection/trigger", _instill),
    "label studio": Surface("/label-studio/object-detection/predict", _label_studio),
}

#: Where a file goes to the store while it comes in.
UPLOAD = Surface("/v1/files", _form("purpose", "batch", "file"))

#: Text with characters that Python keeps in two bytes each, and in four: all of a row alike.
WIDE = {"two bytes": _oip_text("a" * 400 + "–"), "four bytes": _oip_text("a" * 400 + "🚣")}
