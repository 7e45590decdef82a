"""Answers drawn as they mean, by every renderer."""

from __future__ import annotations

import base64
import io
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from wherry.tasks.registry import task_names

Show = Callable[[str], Page]
Draw = Callable[..., Locator]

#: Draws an answer alone on the page, with a redraw of its own.
_DRAW = """async (answer) => {
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
_PIXEL = """(view, [x, y]) => {
  const canvas = view.querySelector(".answer-over");
  const at = [Math.round(canvas.width * x), Math.round(canvas.height * y)];
  return [...canvas.getContext("2d").getImageData(at[0], at[1], 1, 1).data];
}"""

_BLUE = [0, 179, 204]  # --shape-1
_ORANGE = [255, 159, 28]  # --shape-2


def picture(width: int, height: int, kind: str = "PNG", **saved: Any) -> str:
    held = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(held, kind, **saved)
    return base64.b64encode(held.getvalue()).decode()


def tensor(name: str, shape: list[int], data: list[Any], **parameters: Any) -> dict[str, Any]:
    kind = "BYTES" if isinstance(data[0], str) else "FP32"
    return {"name": name, "datatype": kind, "shape": shape, "data": data, "parameters": parameters}


def image(*data: str, name: str = "image") -> dict[str, Any]:
    return tensor(
        name, [1] if name == "image" else [1, len(data)], list(data), content_type="base64"
    )


def boxes(*found: tuple[str, float, list[float]], sent: str) -> dict[str, Any]:
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


@pytest.fixture
def draw(show: Show) -> Draw:
    """Draw an answer alone; the place where it is drawn."""
    page = show("#/nowhere")

    def draw(answer: dict[str, Any]) -> Locator:
        page.evaluate(_DRAW, {"task": "none", "model": "m", "row": 0, **answer})
        drawn = page.locator(".answer")
        expect(drawn.locator("[role=status]").get_by_text("Preparing")).to_have_count(0)
        return drawn

    return draw


def at(view: Locator, x: float, y: float) -> list[int]:
    found: list[int] = view.evaluate(_PIXEL, [x, y])
    return found


def test_every_tasks_example_is_drawn(show: Show, check_accessible: Callable[[Page], None]) -> None:
    page = show("#/answers")
    expect(page.locator("article")).to_have_count(len(task_names()))
    expect(page.locator("article .answer")).not_to_have_count(0)
    expect(page.get_by_text("Preparing the drawing")).to_have_count(0)
    expect(page.get_by_text("Reading the picture")).to_have_count(0)
    expect(page.get_by_text("cannot be")).to_have_count(0)
    for task, told in {
        "image-classification": "fog",
        "chat": "Paris.",
        "automatic-speech-recognition": "Cast off!",
        "question-answering": "The quick brown fox",
        "sentence-similarity": "Good morning.",
        "table-question-answering": "SUM > 12, 3",
        "tabular-regression": "7.25",
        "text-to-speech": "silent throughout",
        "translation": "Das Haus ist alt.",
    }.items():
        expect(page.locator(f"[data-task={task}]")).to_contain_text(told)
    check_accessible(page)


def test_a_box_is_where_the_answer_says(draw: Draw) -> None:
    drawn = draw(boxes(("boat", 0.9, [100, 50, 300, 150]), sent=picture(400, 200)))
    view = drawn.locator("answer-picture")
    expect(view).to_contain_text("400 × 200 pixels")
    for x, y in ((0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75)):
        assert at(view, x, y)[:3] == _BLUE
    for x, y in ((0.5, 0.5), (0.1, 0.5), (0.9, 0.5)):
        assert at(view, x, y)[3] == 0, "nothing but its edges"
    row = drawn.get_by_role("row").last
    expect(row).to_contain_text("boat")
    expect(row).to_contain_text("100, 50, 300, 150")


def test_a_picture_that_is_turned_by_its_exif_has_its_boxes_where_they_are_seen(draw: Draw) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    sent = picture(200, 400, "JPEG", exif=exif)
    view = draw(boxes(("boat", 0.9, [100, 50, 300, 150]), sent=sent)).locator("answer-picture")
    expect(view).to_contain_text("400 × 200 pixels")
    assert at(view, 0.25, 0.5)[:3] == _BLUE


def test_picture_and_list_mark_each_other(draw: Draw) -> None:
    far, near = ("boat", 0.9, [0, 0, 400, 200]), ("buoy", 0.5, [100, 50, 300, 150])
    drawn = draw(boxes(far, near, sent=picture(400, 200)))
    expect(drawn).to_contain_text("400 × 200 pixels")
    view, lines = drawn.locator(".answer-over"), drawn.locator("tbody tr")
    size = view.bounding_box()
    assert size
    view.hover(position={"x": size["width"] / 2, "y": size["height"] / 2})
    expect(lines.nth(1)).to_have_class("answer-marked")
    assert at(drawn, 0.5, 0.5)[3] > 0, "the marked box is tinted"
    view.hover(position={"x": 5, "y": 50})
    expect(lines.nth(0)).to_have_class("answer-marked")
    lines.nth(1).get_by_role("checkbox").focus()
    expect(lines.nth(1)).to_have_class("answer-marked")


def test_the_threshold_and_the_switches_hide_without_a_request(draw: Draw, page: Page) -> None:
    sure, unsure = ("boat", 0.9, [0, 0, 200, 200]), ("buoy", 0.25, [250, 50, 350, 150])
    drawn = draw(boxes(sure, unsure, sent=picture(400, 200)))
    expect(drawn).to_contain_text("2 of 2")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    drawn.get_by_role("slider").fill("0.5")
    expect(drawn).to_contain_text("0.50: 1 of 2")
    expect(drawn.locator("tbody tr")).to_have_count(1)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert at(drawn, 0.625, 0.5)[3] == 0
    assert at(drawn, 0.5, 0.5)[:3] == _BLUE
    drawn.get_by_role("checkbox").uncheck()
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert at(drawn, 0.5, 0.5)[3] == 0
    assert not [url for url in asked if not url.startswith("blob:")]


def test_masks_lie_over_their_picture(draw: Draw) -> None:
    masks = []
    for place in ((0, 0, 100, 200), (100, 0, 200, 200)):
        mask, held = Image.new("L", (400, 200)), io.BytesIO()
        mask.paste(255, place)
        mask.save(held, "PNG")
        masks.append(base64.b64encode(held.getvalue()).decode())
    drawn = draw(
        {
            "renderer": "masks",
            "request": {"inputs": [image(picture(400, 200))]},
            "response": {
                "outputs": [
                    tensor("label", [1, 2], ["boat", "river"]),
                    tensor("score", [1, 2], [0.9, 0.8]),
                    image(*masks, name="mask"),
                ]
            },
        }
    )
    expect(drawn).to_contain_text("400 × 200 pixels")
    drawn.page.wait_for_function(f"() => ({_PIXEL})(document, [0.1, 0.5])[3] > 0")
    drawn.page.wait_for_function(f"() => ({_PIXEL})(document, [0.4, 0.5])[3] > 0")
    for place, colour in ((0.1, _BLUE), (0.4, _ORANGE)):
        found = at(drawn, place, 0.5)
        assert found[3] in (127, 128), "half seen through"
        assert all(abs(one - other) <= 2 for one, other in zip(found, colour, strict=False))
    assert at(drawn, 0.75, 0.5)[3] == 0


def test_entities_are_underlined_where_they_are(draw: Draw) -> None:
    text = "🚣🚣 The wherry left Norwich."  # places count characters, as Python does
    drawn = draw(
        {
            "renderer": "spans",
            "request": {"inputs": [tensor("text", [1], [text])]},
            "response": {
                "outputs": [
                    tensor("entity", [1, 2], ["SHIP", "PLACE"]),
                    tensor("score", [1, 2], [0.9, 0.8]),
                    tensor("word", [1, 2], ["wherry", "Norwich"]),
                    tensor("start", [1, 2], [7, 19]),
                    tensor("end", [1, 2], [13, 26]),
                ]
            },
        }
    )
    expect(drawn.locator("mark")).to_have_text(["wherrySHIP", "NorwichPLACE"])
    for mark in drawn.locator("mark").all():
        assert "underline" in mark.evaluate("(mark) => getComputedStyle(mark).textDecorationLine")
    drawn.locator("tbody tr").nth(1).hover()
    expect(drawn.locator("mark").nth(1)).to_have_class(re.compile("answer-strong"))


def test_a_transcripts_times_play(draw: Draw) -> None:
    sound = base64.b64encode(bytes(4 * 16_000)).decode()  # a second of raw samples
    drawn = draw(
        {
            "renderer": "transcript",
            "request": {
                "inputs": [tensor("audio", [1], [sound], content_type="base64")],
                "parameters": {"sample_rate": 16_000},
            },
            "response": {
                "outputs": [
                    tensor("text", [1], ["All aboard. Cast off!"]),
                    tensor("chunks_texts", [1, 2], ["All aboard.", " Cast off!"]),
                    tensor("chunks_ts_start", [1, 2], [0.0, 0.5]),
                    tensor("chunks_ts_end", [1, 2], [0.5, 1.0]),
                ]
            },
        }
    )
    drawn.page.wait_for_function("() => document.querySelector('.answer audio').duration === 1")
    drawn.get_by_role("button", name="Play 0:00.50–0:01.00").click()
    drawn.page.wait_for_function("() => document.querySelector('.answer audio').currentTime >= 0.5")


def test_what_a_row_failed_with_is_told_by_its_row(draw: Draw, page: Page) -> None:
    answer = boxes(("boat", 0.9, [0, 0, 1, 1]), sent=picture(4, 4))
    answer["response"]["parameters"] = {"row_errors": '{"0": {"error": "no image"}}'}
    page.evaluate(_DRAW, {"task": "none", "model": "m", "row": 0, **answer})
    expect(page.get_by_role("alert")).to_have_text("no image")


def test_a_users_svg_is_never_shown(draw: Draw) -> None:
    svg = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>").decode()
    drawn = draw(boxes(("boat", 0.9, [0, 0, 10, 10]), sent=svg))
    expect(drawn).to_contain_text("cannot show the picture's format")


def test_a_package_draws_its_own_task(draw: Draw, page: Page) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "adding-a-task.md").read_text(encoding="utf-8")
    module = re.search(r"answer\.js`:\n\n```js\n(.*?)```", guide, re.DOTALL)
    assert module
    places = {"reading-level": "extensions/reading-level/answer.js"}
    page.route("**/console/extensions.json", lambda route: route.fulfill(json=places))
    page.route(
        "**/console/extensions/reading-level/answer.js",
        lambda route: route.fulfill(body=module[1], content_type="text/javascript"),
    )
    page.reload()
    levels = [tensor("label", [1, 2], ["easy", "hard"]), tensor("score", [1, 2], [0.75, 0.25])]
    answer = {"task": "reading-level", "renderer": "labels", "request": {"inputs": []}}
    drawn = draw({**answer, "response": {"outputs": levels}})
    expect(drawn).to_have_text(re.compile(r"This text is easy to read \(75 %\)\."))


def test_a_package_whose_drawing_is_broken_hides_no_answer(
    draw: Draw, page: Page, heard: list[str]
) -> None:
    places = {"reading-level": "extensions/reading-level/answer.js"}
    page.route("**/console/extensions.json", lambda route: route.fulfill(json=places))
    page.reload()
    levels = [tensor("label", [1, 1], ["easy"]), tensor("score", [1, 1], [0.75])]
    answer = {"task": "reading-level", "renderer": "labels", "request": {"inputs": []}}
    drawn = draw({**answer, "response": {"outputs": levels}})
    expect(drawn).to_contain_text("cannot be read")
    expect(drawn.get_by_role("row").last).to_contain_text("easy")
    assert len(heard) == 1, "the module that is not there"
    heard.clear()


def test_a_picture_of_20_megapixels_stays_smooth(draw: Draw, page: Page) -> None:
    found = [
        (f"thing {at % 9}", at / 200, [at * 25.0, at * 15.0, at * 25.0 + 300, at * 15.0 + 300])
        for at in range(200)
    ]
    drawn = draw(boxes(*found, sent=picture(5472, 3648, "JPEG")))
    expect(drawn).to_contain_text("5472 × 3648 pixels")
    size = drawn.locator(".answer-over").bounding_box()
    assert size
    page.evaluate(
        """() => {
          window.frames = [];
          let last = performance.now();
          const frame = (now) => {
            frames.push(now - last);
            last = now;
            requestAnimationFrame(frame);
          };
          requestAnimationFrame(frame);
        }"""
    )
    for step in range(100):
        across, down = size["width"] * (step % 20) / 20, size["height"] * step / 100
        page.mouse.move(size["x"] + across, size["y"] + down)
    frames: list[float] = page.evaluate("frames")
    assert statistics.median(frames) < 50, "ms a frame while the pointer moves over boxes"
