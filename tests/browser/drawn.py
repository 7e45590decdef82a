"""Answers to be drawn, and what is then to be seen of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image
from playwright.sync_api import Locator

Draw = Callable[..., Locator]

#: Draws an answer alone on the page, with a redraw of its own.
DRAW = """async (answer) => {
  const { html, render } = await import("/console/vendor/lit-html/lit-html.js");
  const { drawAnswer } = await import("/console/answers/answer.js");
  const root = document.createElement("div");
  document.querySelector("main").replaceChildren(root);
  let asked = false;
  const draw = () => {
    asked = false;
    render(html`<h1>An answer</h1>${drawAnswer({ ...answer, redraw })}`, root);
  };
  const redraw = () => {
    if (!asked) queueMicrotask(draw);
    asked = true;
  };
  draw();
}"""

#: The colour of the shapes at a place of the picture, as shares of it.
PIXEL = """(view, [x, y]) => {
  const canvas = view.querySelector(".answer-over");
  const at = [Math.round(canvas.width * x), Math.round(canvas.height * y)];
  return [...canvas.getContext("2d").getImageData(at[0], at[1], 1, 1).data];
}"""


def picture(width: int, height: int, kind: str = "PNG", **saved: Any) -> str:
    held = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(held, kind, **saved)
    return base64.b64encode(held.getvalue()).decode()


def tensor(name: str, shape: list[int], data: list[Any], **parameters: Any) -> dict[str, Any]:
    kind = "BYTES" if any(isinstance(value, str) for value in data) else "FP32"
    return {"name": name, "datatype": kind, "shape": shape, "data": data, "parameters": parameters}


def image(*data: str, name: str = "image") -> dict[str, Any]:
    return tensor(
        name, [1] if name == "image" else [1, len(data)], list(data), content_type="base64"
    )


def boxes(*found: tuple[str, float, Sequence[float]], sent: str) -> dict[str, Any]:
    count = len(found)
    return {
        "renderer": "boxes",
        "request": {"inputs": [image(sent)]},
        "response": {
            "outputs": [
                tensor("label", [1, count], [label for label, _, _ in found]),
                tensor("score", [1, count], [score for _, score, _ in found]),
                tensor("box", [1, count, 4], [edge for _, _, box in found for edge in box]),
            ]
        },
    }


def at(view: Locator, x: float, y: float) -> list[int]:
    found: list[int] = view.evaluate(PIXEL, [x, y])
    return found
