"""Widgets: every sample model's example, and every control by hand."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from wherry.tasks.base import FAMILIES
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.samples import PNG, WAV

Show = Callable[[str], Page]

#: Their models write as long as they may: a few tokens are enough here.
WRITERS = {
    *("audio-text-to-text", "chat", "image-text-to-text", "image-to-text", "summarization"),
    *("text-generation", "text2text-generation", "translation"),
}


@pytest.fixture
def widget(show: Show) -> Show:
    """Open a model's page, with its widget."""

    def opened(model: str) -> Page:
        page = show(f"#/models/{model}")
        page.get_by_role("button", name="Run", exact=True).wait_for()
        return page

    return opened


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of 64 by 48 pixels, half black and half white."""
    made = Image.new("RGB", (64, 48), "white")
    made.paste("black", (0, 0, 32, 48))
    made.save(tmp_path / "half.png")
    return tmp_path / "half.png"


def set_parameter(page: Page, name: str, value: str) -> None:
    """Write a parameter into the form."""
    page.locator("details.widget-parameters > summary").click()
    page.locator(f"input[name={name}]").fill(value)


def run(page: Page) -> str:
    """Run the request; the words that say how it went."""
    page.get_by_role("button", name="Run", exact=True).click()
    answer = page.locator(".widget-answer")
    answer.locator("progress").wait_for(state="hidden", timeout=60_000)
    expect(answer).to_have_attribute("aria-busy", "false")
    expect(answer.locator(".notice.bad")).to_have_count(0)
    return answer.locator(".widget-progress").inner_text()


def request_of(page: Page) -> dict[str, Any]:
    """The request that the widget would send, as its JSON can be copied."""
    if not page.locator(".widget-code[open]").count():
        page.get_by_text("This request as code").click()
    page.get_by_role("button", name="OIP JSON", exact=True).click()
    page.get_by_role("button", name="Copy the request as JSON").click()
    page.get_by_text("Copied.").first.wait_for()
    copied: dict[str, Any] = json.loads(page.evaluate("navigator.clipboard.readText()"))
    return copied


def inputs_of(page: Page) -> dict[str, Any]:
    """What each tensor of that request holds."""
    return {tensor["name"]: tensor["data"] for tensor in request_of(page)["inputs"]}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_example_of_every_task_is_answered_and_drawn(widget: Show, family: str) -> None:
    for name in task_names():
        if get_task(name).family != family:
            continue
        page = widget(name)
        page.get_by_role("button", name="Use the example").click()
        if name in WRITERS:
            set_parameter(page, "max_new_tokens", "4")
        assert "Done in" in run(page), name
        assert page.get_by_text("cannot be drawn").count() == 0, name
        if name != "chat":  # which goes on in its own conversation
            expect(page.locator(".widget-answer")).not_to_contain_text("Preparing the drawing")


def test_texts_labels_and_parameters_are_sent_as_they_are_written(widget: Show) -> None:
    page = widget("zero-shot-classification")
    page.locator("textarea[name=text]").fill('A "barge"\nat $5 `each`')
    page.locator("textarea[name=candidate_labels]").fill("boats\n\n trains \n")
    page.locator("details.widget-parameters > summary").click()
    page.locator("select[name=multi_label]").select_option("true")
    page.locator("input[name=hypothesis_template]").fill("It is about {}.")
    request = request_of(page)
    assert request["parameters"] == {
        "multi_label": True,
        "hypothesis_template": "It is about {}.",
    }
    assert inputs_of(page) == {
        "text": ['A "barge"\nat $5 `each`'],
        "candidate_labels": ["boats", "trains"],
    }
    assert "Done in" in run(page)
    expect(page.locator(".widget-answer")).to_contain_text("trains")


def test_a_parameter_of_a_word_or_an_object_takes_either(widget: Show) -> None:
    page = widget("chat")
    page.locator("textarea[name=messages]").fill("Hello")
    page.locator("details.widget-parameters > summary").click()
    choice = page.locator("[name=tool_choice]")
    choice.fill("required")
    assert request_of(page)["parameters"] == {"tool_choice": "required"}
    choice.fill('{"type": "function", "function": {"name": "weather"}}')
    assert request_of(page)["parameters"]["tool_choice"]["type"] == "function"


def test_a_parameter_out_of_its_range_is_not_sent(widget: Show) -> None:
    page = widget("object-detection")
    page.get_by_role("button", name="Use the example").click()
    set_parameter(page, "threshold", "1.5")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Threshold: 1.5 is not number, 0 to 1")
    page.get_by_role("button", name="Back to the defaults").click()
    assert "Done in" in run(page)


def test_what_is_missing_is_named(widget: Show) -> None:
    page = widget("question-answering")
    page.locator("textarea[name=question]").fill("Who?")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Context: write something.")


def test_a_table_is_typed_and_pasted(widget: Show) -> None:
    page = widget("table-question-answering")
    page.locator("textarea[name=query]").fill("How many tugs?")
    cell = page.get_by_label("Heading of column 1")
    cell.focus()
    page.evaluate("navigator.clipboard.writeText('boat\\tnumber\\nwherry\\t12\\ntug\\t3\\n')")
    cell.press("Control+v")
    page.get_by_label("Row 2, number").fill("4")
    table = json.loads(inputs_of(page)["table"][0])
    assert table == {"boat": ["wherry", "tug"], "number": ["12", "4"]}
    assert "Done in" in run(page)


def test_a_row_of_a_table_keeps_numbers_as_numbers(widget: Show) -> None:
    page = widget("tabular-classification")
    page.get_by_role("button", name="Use the example").click()
    page.get_by_label("Cell of sails").fill("2")
    page.get_by_label("Cell of rig").fill("")
    row = json.loads(inputs_of(page)["row"][0])
    assert row == {"length_m": 12.5, "sails": 2, "rig": None}
    page.get_by_label("Cell of rig").fill("gaff")
    assert "Done in" in run(page)


def test_what_a_row_failed_with_is_told_with_its_job(widget: Show) -> None:
    page = widget("tabular-classification")
    page.get_by_role("button", name="Use the example").click()
    page.get_by_label("Cell of rig").fill("balloon")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".widget-answer").get_by_role("alert")).to_contain_text("balloon")
    expect(page.locator(".widget-progress")).to_contain_text("Failed.")
    expect(page.get_by_role("link", name="The job")).to_be_visible()


def test_a_series_is_pasted_as_a_column(widget: Show) -> None:
    page = widget("time-series-forecasting")
    page.locator("textarea[name=past_values]").fill("1\n1.5; 2,\t-2e1\n")
    expect(page.get_by_role("img", name="The series: 4 numbers")).to_be_visible()
    request = request_of(page)
    assert request["inputs"][0]["shape"] == [1, 4]
    assert inputs_of(page)["past_values"] == [[1, 1.5, 2, -20]]


def test_texts_to_compare_are_one_a_line(widget: Show) -> None:
    page = widget("sentence-similarity")
    page.locator("textarea[name=source_sentence]").fill("a boat")
    page.locator("textarea[name=sentences]").fill("a ship\na tax")
    assert json.loads(inputs_of(page)["sentences"][0]) == ["a ship", "a tax"]
    assert "Done in" in run(page)
    expect(page.locator(".widget-answer")).to_contain_text("a ship")


def test_json_that_is_none_is_told_while_it_is_written(widget: Show) -> None:
    page = widget("custom")
    box = page.locator("textarea[name=data]")
    box.fill('{"inputs": ')
    expect(box).to_have_attribute("aria-invalid", "true")
    box.fill('{"inputs": "Cast off!"}')
    assert json.loads(inputs_of(page)["data"][0]) == {"inputs": "Cast off!"}
    assert "Done in" in run(page)


def test_a_picture_is_chosen_dropped_and_pasted(widget: Show, picture: Path) -> None:
    page = widget("image-classification")
    page.locator("input[type=file]").set_input_files(picture)
    expect(page.get_by_text("half.png,")).to_be_visible()
    other = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(other, "PNG")
    for event, field in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.locator(".widget-drop").evaluate(
            """(zone, [name, field, bytes, event]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
                const Kind = event === "drop" ? DragEvent : ClipboardEvent;
                zone.dispatchEvent(new Kind(event, {[field]: data, cancelable: true}));
            }""",
            [f"{event}.png", field, list(other.getvalue()), event],
        )
        expect(page.get_by_text(f"{event}.png,")).to_be_visible()
    expect(page.locator(".widget-files li")).to_have_count(1)
    assert "Done in" in run(page)


def test_files_are_sent_as_they_are_and_not_as_text(widget: Show, picture: Path) -> None:
    page = widget("keypoint-matching")
    page.locator("input[type=file]").set_input_files([picture, picture])
    with page.expect_request("**/v2/models/*/jobs") as asked:
        page.get_by_role("button", name="Run", exact=True).click()
    headers = asked.value.headers
    assert headers["content-type"] == "application/octet-stream"
    assert int(headers["inference-header-content-length"]) < 200
    expect(page.locator(".widget-progress")).to_contain_text("Done in")
    job = str(page.get_by_role("link", name="The job").get_attribute("href")).rpartition("/")[2]
    kept = page.evaluate(f"fetch('/v2/jobs/{job}/request').then((answer) => answer.json())")
    sent = kept["inputs"][0]
    assert sent["shape"] == [1, 2]
    assert sent["data"] == [[base64.b64encode(picture.read_bytes()).decode()] * 2]


def test_a_camera_takes_a_picture(widget: Show) -> None:
    page = widget("image-classification")
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").click()
    expect(page.get_by_text("camera.jpg,")).to_be_visible()
    expect(page.locator(".widget-camera")).to_have_count(0)
    assert "Done in" in run(page)


def test_a_microphone_is_heard(widget: Show) -> None:
    page = widget("audio-classification")
    page.get_by_role("button", name="Record").click()
    expect(page.locator(".widget-recording")).to_have_text("1 s")
    page.get_by_role("button", name="End the recording").click()
    expect(page.get_by_text("recording.wav,")).to_be_visible()
    assert "Done in" in run(page)
    expect(page.locator(".widget-answer")).to_contain_text("speech")


def test_a_sound_file_is_not_taken_for_the_examples_raw_samples(
    widget: Show, tmp_path: Path
) -> None:
    page = widget("audio-classification")
    page.get_by_role("button", name="Use the example").click()
    assert "sample_rate" in request_of(page)["parameters"]
    (tmp_path / "silence.wav").write_bytes(WAV)
    page.locator("input[type=file]").set_input_files(tmp_path / "silence.wav")
    assert "sample_rate" not in request_of(page).get("parameters", {})
    assert "Done in" in run(page)


def test_pictures_are_put_in_order_and_counted(widget: Show, picture: Path) -> None:
    page = widget("keypoint-matching")
    page.locator("input[type=file]").set_input_files([picture])
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("give 2 pictures, there are 1")
    other = picture.with_name("other.png")
    Image.new("RGB", (64, 48), "grey").save(other)
    page.locator("input[type=file]").set_input_files([other])
    page.get_by_role("button", name="Move picture 2 forward").click()
    expect(page.locator(".widget-files li").first).to_contain_text("other.png")
    assert "Done in" in run(page)


def test_points_and_a_box_are_drawn_on_the_picture(widget: Show, picture: Path) -> None:
    page = widget("mask-generation")
    page.locator("input[type=file]").set_input_files(picture)
    stage = page.locator(".widget-stage svg")
    stage.scroll_into_view_if_needed()
    size = stage.bounding_box()
    assert size
    stage.click(position={"x": size["width"] / 4, "y": size["height"] / 2})
    page.get_by_role("button", name="Point beside it").click()
    stage.click(position={"x": size["width"] * 3 / 4, "y": size["height"] / 4})
    page.get_by_role("button", name="Box", exact=True).click()
    stage.drag_to(
        stage,
        source_position={"x": size["width"] / 8, "y": size["height"] / 8},
        target_position={"x": size["width"] / 2, "y": size["height"] * 7 / 8},
    )
    sent = {name: json.loads(data[0]) for name, data in inputs_of(page).items() if name != "image"}
    assert sent["points"][0][0] == pytest.approx([16, 24], abs=0.3)
    assert sent["points"][0][1] == pytest.approx([48, 12], abs=0.3)
    assert sent["labels"] == [[1, 0]]
    assert sent["boxes"][0] == pytest.approx([8, 6, 32, 42], abs=0.3)
    assert "Done in" in run(page)
    expect(page.locator(".widget-answer canvas").first).to_be_visible()


def test_marks_are_set_moved_and_removed_with_the_keyboard(widget: Show, picture: Path) -> None:
    page = widget("mask-generation")
    page.locator("input[type=file]").set_input_files(picture)
    add = page.get_by_role("button", name="Add one in the middle")
    page.locator(".widget-stage svg").wait_for()
    add.focus()
    page.keyboard.press("Enter")
    mark = page.get_by_role("button", name="Point 1 of object 1,")
    mark.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    expect(mark).to_have_accessible_name("Point 1 of object 1, on it: 33, 23")
    page.get_by_label("x of point 1 of object 1").fill("5.5")
    page.get_by_label("x of point 1 of object 1").press("Tab")
    page.get_by_label("on it", exact=True).uncheck()
    assert json.loads(inputs_of(page)["points"][0]) == [[[5.5, 23]]]
    assert json.loads(inputs_of(page)["labels"][0]) == [[0]]
    mark.focus()
    page.keyboard.press("Delete")
    expect(mark).to_have_count(0)
    expect(page.locator(".widget-stage svg")).to_be_focused()
    assert set(inputs_of(page)) == {"image"}


def test_marks_go_with_their_picture(widget: Show, picture: Path) -> None:
    page = widget("mask-generation")
    page.get_by_role("button", name="Use the example").click()
    assert set(inputs_of(page)) == {"image", "points", "labels"}
    page.locator("input[type=file]").set_input_files(picture)
    expect(page.get_by_text("half.png,")).to_be_visible()
    assert set(inputs_of(page)) == {"image"}


def test_an_object_is_followed_from_the_frame_it_is_marked_on(widget: Show, picture: Path) -> None:
    page = widget("video-mask-generation")
    other = picture.with_name("other.png")
    Image.new("RGB", (64, 48), "grey").save(other)
    page.locator("input[type=file]").set_input_files([picture, other])
    page.get_by_role("button", name="Next frame").click()
    page.get_by_role("button", name="Add one in the middle").click()
    expect(page.get_by_label("x of point 1 of object 1 on frame 1")).to_have_value("32")
    sent = {name: json.loads(data[0]) for name, data in inputs_of(page).items() if name != "video"}
    assert sent == {
        "objects_ids": [1],
        "frame_indexes": [1],
        "points": [[[32, 24]]],
        "labels": [[1]],
    }
    assert "Done in" in run(page)


def test_boxes_say_where_poses_are(widget: Show, picture: Path) -> None:
    page = widget("keypoint-detection")
    page.locator("input[type=file]").set_input_files(picture)
    page.locator(".widget-stage svg").wait_for()
    page.get_by_role("button", name="Add one in the middle").click()
    box = page.get_by_role("button", name="Box of object 1:")
    box.focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Control+ArrowDown")
    expect(box).to_have_accessible_name("Box of object 1: 15, 12, 47, 37")
    assert json.loads(inputs_of(page)["boxes"][0]) == [[15, 12, 47, 37]]
    assert "Done in" in run(page)


def test_a_chat_goes_on_and_is_told_as_it_is_written(widget: Show) -> None:
    page = widget("chat")
    set_parameter(page, "max_new_tokens", "8")
    message = page.get_by_label("Your message")
    chat = page.get_by_role("list", name="Conversation")
    for turn, text in enumerate(("Say: ahoy", "And again?")):
        message.fill(text)
        message.press("Enter")
        expect(chat).to_have_attribute("aria-busy", "true")
        expect(chat.locator("li")).to_have_count(2 * turn + 2)
        expect(chat).to_have_attribute("aria-busy", "false", timeout=60_000)
        expect(chat.locator("li").last.locator("p")).not_to_have_text("…")
    assert [side.split("\n")[0] for side in chat.locator("li").all_inner_texts()] == [
        *("You", "Model"),
        *("You", "Model"),
    ]
    sent = json.loads(inputs_of(page)["messages"][0])
    assert [turn["role"] for turn in sent] == ["user", "assistant", "user"]


def test_a_request_that_runs_is_called_off(widget: Show) -> None:
    page = widget("chat")
    set_parameter(page, "max_new_tokens", "64")
    page.get_by_label("Your message").fill("Tell me of a long journey.")
    page.get_by_label("Your message").press("Enter")
    page.locator(".widget-chat li.assistant p", has_not_text="…").wait_for(timeout=60_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".widget-progress")).to_contain_text("Canceled.", timeout=60_000)
    expect(page.get_by_label("Your message")).to_have_value("Tell me of a long journey.")


@pytest.mark.parametrize(
    "model",
    [
        *("mask-generation", "video-mask-generation", "table-question-answering", "chat"),
        *("tabular-classification", "time-series-forecasting", "automatic-speech-recognition"),
    ],
)
def test_every_control_is_for_everybody(
    widget: Show, check_accessible: Callable[[Page], None], model: str
) -> None:
    page = widget(model)
    page.get_by_role("button", name="Use the example").click()
    page.locator("#widget details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    page.locator(".widget-code pre").wait_for()
    check_accessible(page)


def test_a_task_of_a_package_has_its_controls_by_what_its_tensors_hold(widget: Show) -> None:
    """Of a control that no page knows, a file, a text and nested numbers."""

    def declared(route: Route) -> None:
        body = route.fetch().json()
        for name, datatype, content in (
            ("photo", "BYTES", "image"),
            ("verse", "BYTES", "text"),
            ("weights", "FP32", "tensor"),
        ):
            body["inputs"].append(
                {**body["inputs"][0], "name": name, "datatype": datatype, "content": content}
            )
        body["widget"]["controls"] = ["dial", "lens", "quill", "scales"]
        route.fulfill(json=body)

    widget("embedding").route("**/v2/tasks/custom", declared)
    page = widget("custom")
    page.locator("textarea[name=data]").fill("1")
    page.locator("textarea[name=verse]").fill("a line")
    page.locator("textarea[name=weights]").fill("[[1, 2, 3], [4, 5, 6]]")
    page.locator("input[type=file]").set_input_files(
        {"name": "dot.png", "mimeType": "image/png", "buffer": PNG}
    )
    expect(page.get_by_role("img", name="dot.png")).to_be_visible()
    sent = request_of(page)["inputs"]
    assert [(tensor["name"], tensor["shape"]) for tensor in sent] == [
        ("data", [1]),
        ("photo", [1]),
        ("verse", [1]),
        ("weights", [1, 2, 3]),
    ]
    assert sent[1]["parameters"] == {"content_type": "base64"}


def test_who_waits_sees_how_many_go_before_and_when_it_starts(widget: Show) -> None:
    page = widget("text-classification")
    start = (datetime.now(UTC) + timedelta(seconds=95)).isoformat()
    held: list[Route] = []

    def queued(route: Route) -> None:
        waits = {"status": "queued", "queue_position": 3, "estimated_start_at": start}
        route.fulfill(json={**route.fetch().json(), **waits}, status=202)

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v2/models/*/jobs", queued)
    page.route("**/v2/jobs/*", hold)
    page.locator("textarea[name=text]").fill("a calm sea")
    page.get_by_role("button", name="Run", exact=True).click()
    told = page.locator(".widget-progress")
    expect(told).to_contain_text("In the queue, 3 before it; it starts about in 1 min 3")
    expect(page.get_by_role("link", name="The job")).to_be_visible()
    page.unroute("**/v2/jobs/*", hold)
    held[0].continue_()
    expect(told).to_contain_text("Done in")
