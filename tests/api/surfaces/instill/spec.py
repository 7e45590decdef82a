"""What Instill's task spec says of `taskOutputs`, as JSON Schema: which keys, which types.

Written from the facts of its published schema (instill-core, `schema/ai-tasks.json`), for which
tests/peers/test_instill.py holds our answers against the file itself.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}


def _object(closed: bool = False, /, **properties: Schema) -> Schema:
    named = {name.replace("_", "-"): schema for name, schema in properties.items()}
    return {
        "type": "object",
        "properties": named,
        "required": list(named),
        **({"additionalProperties": False} if closed else {}),
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _one_of(*values: str) -> Schema:
    return {"enum": list(values)}


_BOX = _object(True, top=NUMBER, left=NUMBER, width=NUMBER, height=NUMBER)
_WHOLE_BOX = _object(True, top=WHOLE, left=WHOLE, width=WHOLE, height=WHOLE)
_POINT = _object(x=NUMBER, y=NUMBER, v=NUMBER)
_REASON = _one_of("stop", "length")
_USAGE = _object(
    usage=_object(completion_tokens=WHOLE, prompt_tokens=WHOLE, total_tokens=WHOLE),
)


def _found(closed: bool, **properties: Schema) -> Schema:
    item = _object(closed, score=NUMBER, bounding_box=_BOX, **properties)
    return _object(True, objects=_list(item))


def _choices(**properties: Schema) -> Schema:
    choice = _object(finish_reason=_REASON, index=WHOLE, created=WHOLE, **properties)
    return _object(choices=_list(choice))


_INSTANCE = _object(
    rle=TEXT,
    category=TEXT,
    score=NUMBER,
    bounding_box={**_BOX, "properties": _WHOLE_BOX["properties"]},
)

#: Task -> the schema of `data`.
DATA: dict[str, Schema] = {
    "TASK_CLASSIFICATION": _object(True, category=TEXT, score=NUMBER),
    "TASK_DETECTION": _found(True, category=TEXT),
    "TASK_KEYPOINT": _found(False, keypoints=_list(_POINT)),
    "TASK_OCR": _found(False, text=TEXT),
    "TASK_INSTANCE_SEGMENTATION": _object(True, objects=_list(_INSTANCE)),
    "TASK_SEMANTIC_SEGMENTATION": _object(True, stuffs=_list(_object(rle=TEXT, category=TEXT))),
    "TASK_TEXT_TO_IMAGE": _object(
        choices=_list(_object(finish_reason=_one_of("success", "content_filtered"), image=TEXT))
    ),
    "TASK_CHAT": _choices(message=_object(content=TEXT, role=TEXT)),
    "TASK_COMPLETION": _choices(content=TEXT),
    "TASK_EMBEDDING": _object(
        embeddings=_list(_object(index=WHOLE, vector=_list(NUMBER), created=WHOLE))
    ),
    "TASK_CUSTOM": {"type": "object"},
}

#: Task -> the schema of an entry of `taskOutputs`.
OUTPUTS: dict[str, Schema] = {
    task: {
        "type": "object",
        "properties": {"data": data, "metadata": _USAGE},
        "required": ["data"],
        "additionalProperties": False,
    }
    for task, data in DATA.items()
}
