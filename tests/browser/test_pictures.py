"""What is drawn over pictures: where, marked, hidden, near, and smooth."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from ..support import media
from .drawn import PIXEL, Draw, at, boxes, image, picture, tensor

_BLUE = [0, 179, 204]  # --shape-1
_ORANGE = [255, 159, 28]  # --shape-2


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
    drawn.page.wait_for_function(f"() => ({PIXEL})(document, [0.1, 0.5])[3] > 0")
    drawn.page.wait_for_function(f"() => ({PIXEL})(document, [0.4, 0.5])[3] > 0")
    for share, colour in ((0.1, _BLUE), (0.4, _ORANGE)):
        found = at(drawn, share, 0.5)
        assert found[3] in (127, 128), "half seen through"
        assert all(abs(one - other) <= 2 for one, other in zip(found, colour, strict=False))
    assert at(drawn, 0.75, 0.5)[3] == 0


def test_a_picture_of_20_megapixels_is_drawn_once_and_small(draw: Draw, page: Page) -> None:
    found = [
        (f"thing {at % 9}", at / 200, [at * 25.0, at * 15.0, at * 25.0 + 300, at * 15.0 + 300])
        for at in range(200)
    ]
    page.evaluate(
        """() => {
          window.drawn = [];
          const draw = CanvasRenderingContext2D.prototype.drawImage;
          CanvasRenderingContext2D.prototype.drawImage = function (image, ...place) {
            drawn.push(image.width);
            return draw.call(this, image, ...place);
          };
        }"""
    )
    drawn = draw(boxes(*found, sent=picture(5472, 3648, "JPEG")))
    expect(drawn).to_contain_text("5472 × 3648 pixels", timeout=60_000)
    page.wait_for_function("() => drawn.length > 0")
    assert max(page.evaluate("drawn")) <= 2048
    page.evaluate("() => drawn.splice(0)")
    size = drawn.locator(".answer-over").bounding_box()
    assert size
    for share in (0.9, 0.7, 0.5, 0.3, 0.1):
        page.mouse.move(size["x"] + size["width"] * share, size["y"] + size["height"] * share)
    expect(drawn.locator(".answer-marked")).to_have_count(1)
    drawn.get_by_role("slider").fill("0.5")
    expect(drawn).to_contain_text("0.50: 100 of 200")
    assert page.evaluate("drawn") == [], "the picture stays while its shapes change"
    drawn.get_by_role("button", name="Zoom in").click()
    page.wait_for_function("() => drawn.length > 0")


def test_a_films_masks_lie_over_its_frames(draw: Draw) -> None:
    frames = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(10)]
    film = base64.b64encode(media.film(frames, "webm", "libvpx-vp9")).decode()
    mask, held = Image.new("L", (64, 48)), io.BytesIO()
    mask.paste(255, (0, 0, 32, 48))
    mask.save(held, "PNG")
    masks = [base64.b64encode(held.getvalue()).decode()] * 2
    drawn = draw(
        {
            "renderer": "masks",
            "request": {"inputs": [image(film, name="video")]},
            "response": {
                "outputs": [
                    tensor("objects_ids", [1, 2], [7, 7]),
                    tensor("frame_indexes", [1, 2], [1, 8]),
                    tensor("time", [1, 2], [0.1, 0.8]),
                    image(*masks, name="mask"),
                ]
            },
        }
    )
    ground = PIXEL.replace("answer-over", "answer-ground")
    for number, grey in ((0, 20), (1, 160)):
        drawn.get_by_label("Frame").fill(str(number))
        expect(drawn).to_contain_text("64 × 48 pixels")
        drawn.page.wait_for_function(
            f"() => Math.abs(({ground})(document, [0.75, 0.5])[0] - {grey}) < 9"
        )
        assert at(drawn, 0.25, 0.5)[3] > 0
    expect(drawn.get_by_role("row").last).to_contain_text("object 7")


def test_a_picture_is_looked_at_closely_with_the_wheel_and_the_keyboard(draw: Draw) -> None:
    drawn = draw(boxes(("boat", 0.9, [100, 50, 300, 150]), sent=picture(400, 200)))
    expect(drawn).to_contain_text("400 × 200 pixels")  # until then it has no size
    view = drawn.get_by_role("group", name="Plus and minus zoom")
    whole = drawn.get_by_role("button", name="Whole picture")
    expect(whole).to_be_disabled()
    size = view.bounding_box()
    assert size
    drawn.page.mouse.move(size["x"] + size["width"] / 4, size["y"] + size["height"] / 2)
    drawn.page.keyboard.down("Control")
    drawn.page.mouse.wheel(0, -200)
    drawn.page.keyboard.up("Control")
    expect(whole).to_be_enabled()
    drawn.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert at(drawn, 0.25, 0.5)[3] > 0, "the edge under the pointer stays there"
    assert at(drawn, 0.75, 0.5)[3] == 0
    view.focus()
    drawn.page.keyboard.press("0")
    expect(whole).to_be_disabled()
    drawn.page.keyboard.press("+")
    expect(whole).to_be_enabled()
