"""The seed document's example payloads, as printed, and what is to be read in their answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("huggingface_payloads.txt")


def payloads() -> list[tuple[str, bytes]]:
    """Task and body of each."""
    text = _FILE.read_text()
    blocks = re.split(r"^== (.+)\n", text, flags=re.MULTILINE)[1:]
    return [
        (task, body.removesuffix("\n").encode())
        for task, body in zip(blocks[::2], blocks[1::2], strict=True)
    ]


def numbers(answer: Any) -> bool:
    return all(isinstance(n, float) for n in answer)


def labels(answer: Any) -> bool:
    return all(set(label) >= {"label", "score"} for label in answer)


def generated(name: str) -> Callable[[Any], bool]:
    return lambda answer: isinstance(answer[0][name], str) and len(answer) == 1


#: What is to be read in each answer.
READ: dict[str, Callable[[Any], bool]] = {
    "audio-classification": labels,
    "automatic-speech-recognition": lambda answer: isinstance(answer["text"], str),
    "chat": lambda answer: (
        answer["conversation"]
        == {
            "past_user_inputs": ["Which movie is the best ?", "Can you explain why?"],
            "generated_responses": ["It's Die Hard for sure.", answer["generated_text"]],
        }
    ),
    "custom": lambda answer: isinstance(answer, dict),
    "embedding": lambda answer: numbers(answer[0]),
    "feature-extraction": lambda answer: numbers(answer[0]),
    "fill-mask": lambda answer: all(isinstance(f["token_str"], str) for f in answer),
    "image-classification": labels,
    "image-segmentation": lambda answer: all(s["mask"] for s in answer),
    "object-detection": lambda answer: all(type(d["box"]["xmin"]) is int for d in answer),
    "question-answering": lambda answer: isinstance(answer["answer"], str),
    "ranking": lambda answer: isinstance(answer["scores"], float),
    "sentence-similarity": lambda answer: numbers(answer["similarities"]),
    "summarization": generated("summary_text"),
    "table-question-answering": lambda answer: answer["cells"] is not None,
    "text-classification": lambda answer: labels(answer[0]),
    "text-generation": generated("generated_text"),
    "text2text-generation": generated("generated_text"),
    "token-classification": lambda answer: all(e["entity_group"] for e in answer),
    "translation": generated("translation_text"),
    "zero-shot-classification": labels,
}
