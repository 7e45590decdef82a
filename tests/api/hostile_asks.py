"""Requests that mean harm: good ones of every surface, and what becomes of them when bent."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

from wherry.protocol import codec
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from .surfaces.instill.entries import MODELS, entries
from .surfaces.pixano.asks import ASKS

Document = dict[str, Any]

IMAGE = base64.b64encode(PNG).decode()
WORDS = [{"role": "user", "content": "hello"}]


def oip(task: str) -> Document:
    """The task's own example as JSON, with every parameter that the server reads."""
    request = get_task(task).example.input.to_inference_request()
    body, _ = codec.encode_request(request, binary=False)
    document: Document = json.loads(body)
    document["parameters"] = {
        **document.get("parameters", {}),
        "priority": 2,
        "timeout": 60_000_000,
        "on_row_error": "fail",
        "binary_data_output": False,
        "content_type": "str",
    }
    return document


#: Path -> a body that it takes.
GOOD: dict[str, Document] = {
    **{
        f"/v2/models/{task}/infer": oip(task)
        for task in (
            *("automatic-speech-recognition", "custom", "document-question-answering"),
            *("embedding", "image-anonymization", "mask-generation", "ranking"),
            *("table-question-answering", "text-generation", "zero-shot-image-classification"),
        )
    },
    "/v2/models/video-mask-generation/jobs": oip("video-mask-generation"),
    "/v2/models/embedding/versions/1/jobs": {
        **oip("embedding"),
        "outputs": [{"name": "embedding"}],
    },
    "/v2/models/text-generation/generate": {"text_input": "a", "max_new_tokens": 3},
    "/v2/jobs:batch": {
        "jobs": [{"model_name": "embedding", "model_version": "1", "request": oip("embedding")}]
    },
    "/v2/jobs:status": {"ids": ["a"], "wait": 0, "results": True},
    "/v2/repository/index": {"ready": True},
    "/v2/repository/models/custom/load": {"parameters": {}},
    "/v1/chat/completions": {
        "model": "chat",
        "messages": WORDS,
        "max_tokens": 4,
        "temperature": 0.5,
        "top_p": 0.5,
        "stop": ["."],
        "seed": 1,
        "n": 1,
        "stream": False,
        "presence_penalty": 0.5,
        "logit_bias": {"1": 1},
        "min_tokens": 1,
    },
    "/v1/completions": {"model": "text-generation", "prompt": ["a"], "max_tokens": 4, "n": 1},
    "/v1/embeddings": {
        "model": "embedding",
        "input": ["a"],
        "encoding_format": "float",
        "dimensions": None,
    },
    "/v1/audio/speech": {"model": "text-to-speech", "input": "a", "voice": "1", "speed": 1.0},
    "/v1/images/generations": {"model": "text-to-image", "prompt": "a", "n": 1, "size": "64x64"},
    "/v1/rerank": {
        "model": "ranking",
        "query": "a",
        "documents": ["a", {"text": "b"}],
        "top_n": 1,
        "return_documents": True,
        "rank_fields": ["text"],
        "max_tokens_per_doc": 9,
    },
    "/v2/rerank": {"model": "embedding", "query": "a", "documents": ["a", "b"], "top_k": 1},
    "/rerank": {"query": "a", "texts": ["a"], "raw_scores": False, "truncation_direction": "left"},
    "/embed": {"inputs": ["a"], "normalize": True, "dimensions": None, "prompt_name": None},
    "/models/embedding/similarity": {
        "inputs": {"source_sentence": "a", "sentences": ["b"]},
        "parameters": {"truncate": True},
    },
    "/predict": {"inputs": [["a"], ["b"]], "raw_scores": False},
    "/v1/batches": {
        "input_file_id": "file-1",
        "endpoint": "/v1/embeddings",
        "completion_window": "24h",
        "metadata": {"a": "b"},
    },
    f"{MODELS}/embedding/trigger": entries("embedding", {"dimensions": 2}),
    f"{MODELS}/chat/trigger-async": entries("chat", {"n": 1, "seed": 1, "temperature": 0.5}),
    f"{MODELS}/object-detection/trigger": entries("object-detection"),
    **{f"/pixano/inference/{name}/": ask for name, ask in ASKS.items() if name != "tracking"},
    "/pixano/v1/inference/tracking/jobs": ASKS["tracking"],
    "/pixano/v1/models": {"name": "embedding"},
    "/pixano/providers/instantiate": {"config": {"name": "embedding", "task": "x"}},
    "/models/zero-shot-classification": {
        "inputs": "a",
        "parameters": {"candidate_labels": ["a", "b"], "multi_label": True},
    },
    "/models/document-question-answering": {
        "inputs": {"image": IMAGE, "question": "a"},
        "parameters": {"word_boxes": [["a", [0, 0, 1, 1]]], "top_k": 1},
    },
    "/models/table-question-answering": {"inputs": {"query": "a", "table": {"b": ["1"]}}},
    "/models/image-to-image": {
        "inputs": IMAGE,
        "parameters": {"target_size": {"width": 4, "height": 4}},
    },
    "/models/text-generation": {"inputs": "a", "parameters": {"details": True, "seed": 1}},
    "/models/custom": {"inputs": {"a": 1}},
}

#: What takes the place of a value. None of it is worth a 500.
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**63, 10**30, 0.5, -1e308, ""),
    *("\0", "a\ud800", "🚣" * 100, "../../etc/passwd", "[" * 3000, "{}", "NaN", "9" * 5000),
    *("1e999", "x" * 5000, "data:;base64,AA==", "http://169.254.169.254/"),
    *([], [[]], [None], [1, "a"], {}, {"": ""}, {"a": {"b": [1]}}, [[[[1.5]]]]),
)


def bent(document: Document) -> Iterator[Document]:
    """The document with each value in turn replaced, or left out."""
    for path in _paths(document, ()):
        for value in VALUES:
            changed = copy.deepcopy(document)
            _parent(changed, path)[path[-1]] = value
            yield changed
        left = copy.deepcopy(document)
        del _parent(left, path)[path[-1]]
        yield left


def _paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _paths(value[key], (*path, key))


def _parent(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path[:-1]:
        document = document[step]
    return document


#: Bodies that no path takes: name -> bytes.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "deep lists": b"[" * 10_000,
    "deep closed lists": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"inputs":' * 10_000 + b"1" + b"}" * 10_000,
    "deep below": b'{"inputs":' + b"[" * 190 + b"]" * 190 + b"}",
    "a huge integer": b'{"inputs": %s}' % (b"9" * 100_000),
    "a huge exponent": b'{"inputs": 1e999999999}',
    "NaN": b'{"inputs": NaN}',
    "infinity": b'{"inputs": -Infinity}',
    "no UTF-8": b'{"inputs": "\xff\xfe"}',
    "half a surrogate": b'{"inputs": "\\ud800"}',
    "NUL": b'{"inputs": "\\u0000", "model": "\\u0000"}',
    "raw NUL": b'{"inputs": "\0"}',
    "the same key twice": b'{"inputs": "a", "inputs": {}, "model": "chat", "model": 1}',
    "a list": b"[1]",
    "a string": b'"a"',
    "null": b"null",
    "a BOM": b'\xef\xbb\xbf{"inputs": "a"}',
    "UTF-16": '{"inputs": "a"}'.encode("utf-16"),
    "many keys": b'{"parameters": {%s}}' % b",".join(b'"%d":1' % n for n in range(50_000)),
    "a long key": b'{"%s": 1, "parameters": {"%s": 1}}'
    % (b"k" * 100_000, b"\0" * 0 + b"p" * 99_999),
    "many empty lists": b'{"inputs": [%s[]]}' % (b"[]," * 250_000),
    "an open string": b'{"inputs": "' + b"a" * 100_000,
    "backslashes": b'{"inputs": "' + b"\\" * 100_001 + b'"}',
    "commas": b'{"inputs": ' + b"," * 200_000 + b"}",
    "a PNG": PNG,
    "a ZIP": b"PK\x03\x04" + bytes(100),
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "pickle": b"\x80\x04\x95" + bytes(40),
}
