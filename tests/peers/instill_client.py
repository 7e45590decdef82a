"""Runs in an environment that holds instill-sdk and not Wherry: `instill_client.py URL DIR`.

instill-sdk speaks gRPC alone. Its ModelClient is used as it is, with a stub behind it that sends
each call where the SDK's own descriptors say that it is over HTTP (`google.api.http`) and reads the
answer into the SDK's own message, which refuses what it does not know. What a model's author would
do with the SDK is done too: each entry is parsed by its helper, each answer built again by it.

Prints a line of JSON per call: the answer, and what the helpers made of entries and answer.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import sys
import time
import urllib.request
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import json_format, message_factory, struct_pb2
from instill import helpers
from instill.clients.model import ModelClient
from instill.protogen.model.model.v1alpha import model_public_service_pb2 as service
from instill.protogen.model.ray.v1alpha.user_defined_pb2 import CallRequest

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
METHODS = service.DESCRIPTOR.services_by_name["ModelPublicService"].methods_by_name


def image(name):
    text = base64.b64encode((FOLDER / name).read_bytes()).decode()
    return {"type": "image-base64", "image-base64": text}


IMAGE, PAGE = image("shapes.png"), image("page.png")
WORDS = [{"role": "user", "content": [{"type": "text", "text": "What is the capital of France?"}]}]
SEEN = [{"role": "user", "content": [{"type": "text", "text": "what is this?"}, IMAGE]}]
DRAWN = {"max-tokens": 8, "temperature": 0.7, "top-p": 0.9, "seed": 3, "n": 2}


def entry(data, **parameter):
    return {"data": {"model": "any", **data}, "parameter": parameter}


#: model -> its entries, and the helpers for them by their names' middle.
CALLS = {
    "image-classification": ([entry(IMAGE)], "classification", "vision"),
    "object-detection": ([entry(IMAGE), entry(PAGE)], "detection", "vision"),
    "keypoint-detection": ([entry(IMAGE)], "keypoint", "vision"),
    "optical-character-recognition": ([entry(PAGE, threshold=0)], "ocr", "vision"),
    "image-segmentation": ([entry(IMAGE)], "semantic_segmentation", "vision"),
    "text-to-image": (
        [
            entry(
                {"prompt": "a grey square"},
                **{"n": 2, "seed": 3, "negative-prompt": "blue", "num-inference-steps": 2},
                width=64,
                height=64,
            )
        ],
        "text_to_image",
        "",
    ),
    "chat": ([entry({"messages": WORDS}, **DRAWN)], "chat", "chat"),
    "image-text-to-text": (
        [entry({"messages": SEEN}, **{"max-tokens": 8, "temperature": 0})],
        "chat",
        "multimodal_chat",
    ),
    "text-generation": ([entry({"prompt": "Once"}, **DRAWN)], "completion", "completion"),
    "embedding": (
        [entry({"embeddings": [{"type": "text", "text": t} for t in ("a boat", "a ship")]})],
        "embedding",
        "text_embedding",
    ),
    "image-feature-extraction": ([entry({"embeddings": [IMAGE]})], "embedding", "image_embedding"),
    "custom": ([entry({"inputs": "Cast off!"}, shout=True)], "", ""),
}


class Over:
    """A stub that calls over HTTP what the descriptors say."""

    def __getattr__(self, name):
        return lambda request, metadata: call(METHODS[name], request)


def call(method, request):
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    named = re.findall(r"{(\w+)", getattr(rule, verb))
    path = re.sub(r"{(\w+)}", lambda found: getattr(request, found[1]), getattr(rule, verb))
    body = None
    if rule.body == "*":
        fields = json_format.MessageToDict(request, preserving_proto_field_name=True)
        left = {key: value for key, value in fields.items() if key not in named}
        body = json.dumps({"taskInputs": left["task_inputs"]}).encode()
    sent = urllib.request.Request(URL + path, body, method=verb.upper())
    sent.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(sent, timeout=120) as answer:
        text = answer.read()
    return json_format.Parse(text, message_factory.GetMessageClass(method.output_type)())


def plain(message):
    return json_format.MessageToDict(message)


def parsed(entries, middle, kind):
    """How many inputs the SDK's helper reads from the entries; it raises for what it cannot."""
    structs = []
    for given in entries:
        struct = struct_pb2.Struct()
        struct.update(given)
        structs.append(struct)
    name = f"parse_task_{middle}_to_{kind}_input" if kind else f"parse_task_{middle}_input"
    helper = getattr(helpers, name if middle else "parse_custom_input")
    return len(asyncio.run(helper(CallRequest(task_inputs=structs))))


def rebuilt(middle, outputs):
    """The outputs, built again from their values by the SDK's helper."""
    data = [output["data"] for output in outputs]
    build = getattr(
        helpers, f"construct_task_{middle}_output" if middle else "construct_custom_output"
    )
    if not middle:
        made = build(CallRequest(), outputs)
    elif middle == "classification":
        made = build(CallRequest(), [d["category"] for d in data], [d["score"] for d in data])
    elif middle in ("detection", "ocr", "keypoint", "semantic_segmentation"):
        made = build(CallRequest(), *found(middle, data))
    elif middle == "text_to_image":
        made = build(CallRequest(), column(data, "finish-reason"), column(data, "image"))
    elif middle == "embedding":
        of = [[[item[key] for item in d["embeddings"]] for d in data]
              for key in ("index", "created", "vector")]  # fmt: skip
        made = build(CallRequest(), *of)
    else:
        content = "message" if middle == "chat" else "content"
        keys = ("finish-reason", "index", "created", content)
        usage = [output.get("metadata", {}).get("usage") for output in outputs]
        names = ("completion-tokens", "prompt-tokens", "total-tokens") if all(usage) else ()
        counts = [[one[name] for one in usage] for name in names]
        made = build(CallRequest(), *(column(data, key) for key in keys), *counts)
    return [plain(output) for output in made.task_outputs]


def column(data, key):
    return [[choice[key] for choice in d["choices"]] for d in data]


def found(middle, data):
    """Columns of what was found, as the helper takes them."""
    if middle == "semantic_segmentation":
        stuffs = [d["stuffs"] for d in data]
        return [[[s[key] for s in row] for row in stuffs] for key in ("rle", "category")]
    rows = [d["objects"] for d in data]
    key = {"detection": "category", "ocr": "text", "keypoint": "keypoints"}[middle]
    first = [[o[key] for o in row] for row in rows]
    if middle == "keypoint":
        first = [[[(p["x"], p["y"], p["v"]) for p in o] for o in row] for row in first]
    boxes = [
        [tuple(o["bounding_box"][edge] for edge in ("left", "top", "width", "height")) for o in row]
        for row in rows
    ]
    return first, [[o["score"] for o in row] for row in rows], boxes


def main():
    client = ModelClient("", lambda name: name, url="127.0.0.1:1", secure=False)
    client.host.client = Over()
    for model, (entries, middle, kind) in CALLS.items():
        answer = plain(client.trigger_latest("me", model, entries))
        line = {"call": f"trigger_latest {model}", "answer": answer}
        with contextlib.redirect_stdout(sys.stderr):  # the helpers print
            line["parsed"] = parsed(entries, middle, kind)
            line["rebuilt"] = rebuilt(middle, answer["taskOutputs"])
        print(json.dumps(line))
    entries = CALLS["embedding"][0]
    answer = plain(client.trigger("me", "embedding", entries, "1"))
    print(json.dumps({"call": "trigger embedding", "answer": answer}))
    for name, started in (
        ("trigger_async", client.trigger_async("me", "embedding", entries, "1")),
        ("trigger_async_latest", client.trigger_async_latest("me", "embedding", entries)),
    ):
        first = plain(started)["operation"]
        operation = first
        while not operation.get("done"):
            time.sleep(0.05)
            name_of = operation["name"].removeprefix("operations/")
            operation = plain(client.get_model_operation(name_of))["operation"]
        print(json.dumps({"call": f"{name} embedding", "first": first, "answer": operation}))
    print(json.dumps({"call": "list_models", "answer": plain(client.list_models("me"))}))
    print(json.dumps({"call": "is_serving", "answer": client.is_serving()}))


if __name__ == "__main__":
    main()
