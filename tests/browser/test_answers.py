"""Answers drawn as they mean, by every renderer."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from wherry.tasks.registry import task_names

from .drawn import DRAW, Draw, boxes, picture, tensor

Show = Callable[[str], Page]


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
    page.evaluate(DRAW, {"task": "none", "model": "m", "row": 0, **answer})
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


def test_rows_of_tensors_are_read_as_python_reads_them(page: Page, show: Show) -> None:
    show("#/nowhere")
    read = """async ([tensor, row]) => {
      const { rowOf } = await import("/console/lib/tensors.js");
      return rowOf(tensor, row);
    }"""
    ragged = tensor("labels", [2, 2], ["a", "", "b", "c"], row_lengths="1,2")
    assert page.evaluate(read, [ragged, 0]) == ["a"]
    assert page.evaluate(read, [ragged, 1]) == ["b", "c"]
    nested = tensor("box", [2, 2, 2], [], row_lengths="1,2")
    nested["data"] = [[[1, 2], [0, 0]], [[3, 4], [5, 6]]]
    assert page.evaluate(read, [nested, 0]) == [[1, 2]]
    assert page.evaluate(read, [nested, 1]) == [[3, 4], [5, 6]]
    assert page.evaluate(read, [tensor("x", [2], [1.5, 2.5]), 1]) == 2.5
    assert page.evaluate(read, [tensor("x", [1, 0], []), 0]) == []
