"""Runs in an environment that holds task-inference and not Wherry: `seed_client.py URL DIR`.

Builds each task's request with task-inference's own Input, sends it in both wire forms, parses the
answer with its own Output, and prints a line of JSON per request: per row, what was parsed.

task-inference has models for the protocol but no wire form for bytes (its `model_dump_json` raises
for every image), so those two are written here, from the protocol's text alone.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
import urllib.request
from pathlib import Path

from leaves import leaves
from task_inference.protocol import v2
from task_inference.tasks import audio, vision

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
IMAGES = [path.read_bytes() for path in sorted(FOLDER.glob("*.png"))]
SOUNDS = [path.read_bytes() for path in sorted(FOLDER.glob("*.pcm"))]
RATE = 16_000


def tasks(count):
    """Task -> its Input with `count` rows, and its Output."""
    images, sounds = IMAGES[:count], SOUNDS[:count]
    labels = ["circle", "square"]
    return {
        "image-classification": (
            vision.ImageClassificationInput(images=images, top_k=3),
            vision.ImageClassificationOutput,
        ),
        "object-detection": (
            vision.ObjectDetectionInput(images=images, threshold=0.2),
            vision.ObjectDetectionOutput,
        ),
        "depth-estimation": (
            vision.DepthEstimationInput(images=images),
            vision.DepthEstimationOutput,
        ),
        "image-segmentation": (
            vision.ImageSegmentationInput(images=images, threshold=0.1),
            vision.ImageSegmentationOutput,
        ),
        "image-anonymization": (
            vision.ImageAnonymizationInput(images=images, strategy="pixelate", classes=["circle"]),
            vision.ImageAnonymizationOutput,
        ),
        "mask-generation": (
            vision.MaskGenerationInput(
                images=images, pred_iou_thresh=0.0, stability_score_thresh=0.0
            ),
            vision.MaskGenerationOutput,
        ),
        "visual-question-answering": (
            vision.VQAInput(images=images, question="what is this?", top_k=2),
            vision.VQAOutput,
        ),
        "zero-shot-image-classification": (
            vision.ZeroShotImageClassificationInput(images=images, candidate_labels=labels),
            vision.ZeroShotImageClassificationOutput,
        ),
        "zero-shot-object-detection": (
            vision.ZeroShotObjectDetectionInput(
                images=images, candidate_labels=labels, threshold=0.0
            ),
            vision.ZeroShotObjectDetectionOutput,
        ),
        "audio-classification": (
            audio.AudioClassificationInput(audio=sounds, sample_rate=RATE, top_k=2),
            audio.AudioClassificationOutput,
        ),
        "automatic-speech-recognition": (
            audio.ASRInput(audio=sounds, sample_rate=RATE),
            audio.ASROutput,
        ),
    }


def as_json(request):
    """The request as JSON, files as base64 marked as such."""
    document = request.model_dump(exclude_none=True)
    for tensor in document["inputs"]:
        if any(isinstance(entry, bytes) for entry in tensor["data"]):
            tensor["data"] = [base64.b64encode(entry).decode() for entry in tensor["data"]]
            tensor["parameters"] = {"content_type": "base64"}
    return json.dumps(document).encode(), {"Content-Type": "application/json"}


def as_binary(request):
    """The request in the binary extension: each element with its length in 4 bytes."""
    document = request.model_dump(exclude_none=True)
    document.setdefault("parameters", {})["binary_data_output"] = True
    raws = []
    for tensor in document["inputs"]:
        entries = [e if isinstance(e, bytes) else e.encode() for e in tensor.pop("data")]
        raws.append(b"".join(struct.pack("<I", len(e)) + e for e in entries))
        tensor["parameters"] = {"binary_data_size": len(raws[-1])}
    header = json.dumps(document).encode()
    return b"".join([header, *raws]), {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(header)),
    }


def post(task, body, headers):
    """The answer as task-inference's model of a response."""
    request = urllib.request.Request(f"{URL}/v2/models/{task}/infer", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content, length = answer.read(), answer.headers["Inference-Header-Content-Length"]
    if length is None:
        document = json.loads(content)
        for tensor in document["outputs"]:
            if tensor.get("parameters", {}).get("content_type") == "base64":
                tensor["data"] = decoded(tensor["data"])
    else:
        document = json.loads(content[: int(length)])
        rest = content[int(length) :]
        for tensor in document["outputs"]:
            size = tensor["parameters"]["binary_data_size"]
            tensor["data"] = nested(values(tensor, rest[:size]), tensor["shape"])
            rest = rest[size:]
    return v2.InferenceResponse.model_validate(document)


def decoded(data):
    if isinstance(data, list):
        return [decoded(entry) for entry in data]
    return base64.b64decode(data, validate=True)


def values(tensor, raw):
    """A raw tensor's elements; text where the server says that it is text."""
    if tensor["datatype"] != "BYTES":
        code = {"FP32": "f", "INT32": "i", "INT64": "q"}[tensor["datatype"]]
        return list(struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw))
    text = tensor["parameters"].get("content_type") == "text"
    found = []
    while raw:
        (size,) = struct.unpack("<I", raw[:4])
        found.append(raw[4 : 4 + size].decode() if text else raw[4 : 4 + size])
        raw = raw[4 + size :]
    return found


def nested(flat, shape):
    """A flat list per row, as task-inference's outputs want them."""
    if len(shape) < 2 or not shape[0]:
        return flat
    width = len(flat) // shape[0]
    return [flat[i * width : (i + 1) * width] for i in range(shape[0])]


def main():
    for count in (1, 2):
        for task, (inputs, output) in tasks(count).items():
            for encode in (as_json, as_binary):
                body, headers = encode(inputs.to_inference_request())
                parsed = output.from_inference_response(post(task, body, headers)).model_dump()
                columns = [v for v in parsed.values() if isinstance(v, list) and len(v) == count]
                rows = [[leaves(column[row]) for column in columns] for row in range(count)]
                line = {"task": task, "wire": encode.__name__, "rows": rows}
                line["fields"] = {k: v for k, v in parsed.items() if isinstance(v, int)}
                print(json.dumps(line))


if __name__ == "__main__":
    main()
