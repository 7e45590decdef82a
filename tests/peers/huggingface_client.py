"""Drives huggingface_hub's two InferenceClients; each line printed is one call's answer.

Runs in an environment of its own: `huggingface_client.py <url> <folder> sync|async`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import AsyncInferenceClient, InferenceClient
from PIL import Image

URL, FOLDER, HOW = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
CALLS = json.loads((FOLDER / "calls.json").read_text())
FILES = {
    "@image": (FOLDER / "image.png").read_bytes(),
    "@image-path": str(FOLDER / "image.png"),
    "@sound": (FOLDER / "sound.wav").read_bytes(),
}


def plain(answer: Any) -> Any:
    """An answer as JSON, in the form that the client made of it."""
    if isinstance(answer, np.ndarray):
        return {"dtype": str(answer.dtype), "values": answer.tolist()}
    if isinstance(answer, Image.Image):
        pixels = hashlib.sha256(answer.convert("RGB").tobytes()).hexdigest()
        return {"size": answer.size, "pixels": pixels}
    if isinstance(answer, bytes):
        return {"bytes": hashlib.sha256(answer).hexdigest()}
    if isinstance(answer, dict):  # as all its answers are, besides being dataclasses
        return {name: plain(value) for name, value in answer.items() if value is not None}
    if isinstance(answer, list):
        return [plain(entry) for entry in answer]
    return answer


def arguments(call: dict[str, Any]) -> dict[str, Any]:
    return {
        name: FILES.get(value, value) if isinstance(value, str) else value
        for name, value in call["arguments"].items()
    }


def tell(name: str, answer: Any) -> None:
    print(json.dumps({"call": name, "answer": plain(answer)}), flush=True)


def run_sync() -> None:
    for call in CALLS:
        client = InferenceClient(model=f"{URL}/models/{call['task']}", timeout=120)
        try:
            answer = getattr(client, call["method"])(**arguments(call))
            if call["arguments"].get("stream"):
                answer = list(answer)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        tell(call["name"], answer)
    more()


def more() -> None:
    """What is not a task: readiness, and what a user sees of an error."""
    client = InferenceClient(
        model=f"{URL}/models/fill-mask", provider="hf-inference", token="hf_none"
    )
    tell("health_check", client.health_check())
    tell("get_endpoint_info", client.get_endpoint_info())
    asked: list[tuple[str, str, Any]] = [
        ("fill_mask", "fill-mask", lambda c: c.fill_mask("no mask")),
        ("unknown model", "nobody/nothing", lambda c: c.fill_mask("x [MASK]")),
        ("text_generation", "text-generation", lambda c: c.text_generation("x", watermark=True)),
        ("image", "image-classification", lambda c: c.image_classification(b"no image")),
    ]
    for name, model, call in asked:
        try:
            call(InferenceClient(model=f"{URL}/models/{model}"))
        except Exception as error:
            tell(f"error, {name}", f"{type(error).__name__}: {error}")


async def run_async() -> None:
    for call in CALLS:
        client = AsyncInferenceClient(model=f"{URL}/models/{call['task']}", timeout=120)
        try:
            answer = await getattr(client, call["method"])(**arguments(call))
            if call["arguments"].get("stream"):
                answer = [entry async for entry in answer]
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        tell(call["name"], answer)


if __name__ == "__main__":
    if HOW == "async":
        asyncio.run(run_async())
    else:
        run_sync()
