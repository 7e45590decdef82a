"""Several pictures a task, prompts that wait for their masks, regions of sounds, films, buckets."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.api.surfaces.label_studio.prompts import prompt_fields, read_regions
from wherry.jobs import JobsSettings
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.vision.mask_generation import MaskGenerationInput

from ....support.sounds import file, tone
from ...conftest import Server
from .test_label_studio import asked, png, uri

LABELS = "".join(
    f'<Label value="{name}"/>' for name in ("anchor", "barge", "canoe", "dinghy", "ferry", "gig")
)
LABELS += "".join(f'<Label value="{name}"/>' for name in ("hull", "skiff", "tug", "wherry"))


def config(*tags: str) -> str:
    return f"<View>{''.join(tags)}</View>"


def boxes(name: str, to: str) -> str:
    return f'<RectangleLabels name="{name}" toName="{to}">{LABELS}</RectangleLabels>'


TWO = config(
    '<Image name="left" value="$a"/><Image name="right" value="$b"/><Image name="map" value="$c"/>',
    boxes("on-left", "left"),
    boxes("on-right", "right"),
)
PAGES = config('<Image name="pages" valueList="$scans"/>', boxes("box", "pages"))
SMART = config(
    '<Image name="photo" value="$picture"/>',
    '<BrushLabels name="mask" toName="photo"><Label value="Boat"/><Label value="Sea"/>',
    "</BrushLabels>",
    '<KeyPointLabels name="click" toName="photo" smart="true"><Label value="Boat" smart="true"/>'
    '<Label value="Sea" smart="true"/></KeyPointLabels>',
    '<RectangleLabels name="frame" toName="photo" smart="true"><Label value="Boat"/>'
    "</RectangleLabels>",
)


@pytest.fixture
def studio(api_url: str, redis_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{api_url}/label-studio", timeout=10) as client:
        yield client


def predicted(studio: httpx.Client, model: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = studio.post(f"/{model}/predict", json=body)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_each_picture_of_a_task_has_its_own_results(studio, serving):
    tasks = [
        {"a": uri(png((40, 20 + n))), "b": uri(png((30, 60 + n))), "c": uri(png((9, 9)))}
        for n in range(8)  # the stub finds nothing in some
    ]
    lefts = [{"a": task["a"]} for task in tasks]
    body = asked(TWO, *tasks, *lefts, {"c": tasks[0]["c"]})
    found = predicted(studio, "object-detection", body)
    both, left, none = found[:8], found[8:16], found[16]
    results = [r for one in both for r in one["result"]]
    sizes = {(r["to_name"], r["from_name"], r["original_width"]) for r in results}
    assert sizes == {("left", "on-left", 40), ("right", "on-right", 30)}, "none on the map"
    for whole, half in zip(both, left, strict=True):
        assert len({r["id"] for r in whole["result"]}) == len(whole["result"])
        assert half["result"] == [r for r in whole["result"] if r["to_name"] == "left"]
    assert "data.a" in none["error"]


def test_a_picture_that_cannot_be_read_fails_its_task_by_name(studio, serving):
    data = {"a": uri(png()), "b": "?"}
    [found] = predicted(studio, "object-detection", asked(TWO, data))
    assert (found["result"], "data.b: not base64" in found["error"]) == ([], True)


def test_results_say_which_page_they_are_on(studio, serving):
    pages = [uri(png((20 + 10 * n, 20))) for n in range(4)]
    body = asked(PAGES, {"scans": pages}, {"scans": pages[0]}, {"scans": [pages[0], "?"]})
    whole, single, broken = predicted(studio, "object-detection", body)
    found = {(r["item_index"], r["original_width"]) for r in whole["result"]}
    assert found <= {(n, 20 + 10 * n) for n in range(4)}
    assert len(found) > 1
    assert "data.scans: expected a list" in single["error"]
    assert "data.scans[1]: not base64" in broken["error"]


def drawn(kind: str, label: str = "", *, to: str = "photo", **value: Any) -> dict[str, Any]:
    named = {kind: [label]} if label else {}
    return {
        "type": kind,
        "to_name": to,
        "original_width": 40,
        "original_height": 20,
        "value": {**value, **named},
    }


CLICK = drawn("keypointlabels", "Boat", x=50, y=25, width=0.3)
BESIDE = {**drawn("keypointlabels", "Boat", x=10, y=90, width=0.3), "is_positive": False}
FRAME = drawn("rectanglelabels", "Boat", x=10, y=20, width=50, height=60, rotation=0)


@pytest.mark.parametrize(
    ("regions", "fields"),
    [
        ([CLICK], {"points": [[[[20.0, 5.0]]]], "labels": [[[1]]]}),
        ([CLICK, BESIDE], {"points": [[[[20.0, 5.0], [4.0, 18.0]]]], "labels": [[[1, 0]]]}),
        ([FRAME, FRAME], {"boxes": [[[4.0, 4.0, 24.0, 16.0]] * 2]}),
        (
            [FRAME, CLICK],
            {
                "points": [[[[20.0, 5.0]]]],
                "labels": [[[1]]],
                "boxes": [[[4.0, 4.0, 24.0, 16.0]]],
            },
        ),
        (
            [drawn("ellipse", x=50, y=50, radiusX=25, radiusY=10)],
            {"boxes": [[[10.0, 8.0, 30.0, 12.0]]]},
        ),
    ],
)
def test_what_is_drawn_is_told_in_pixels(regions, fields):
    found = prompt_fields(read_regions({"result": regions}), (40, 20))
    assert found == {"multimask_output": False, **fields}
    assert MaskGenerationInput(images=[png()], **found)


@pytest.mark.parametrize(
    ("regions", "text"),
    [
        ([drawn("brushlabels", "Boat", rle=[1])], "type 'brushlabels'; prompts are keypoints"),
        ([CLICK, FRAME, FRAME], "points go with one rectangle"),
        ([drawn("keypointlabels", "Boat", x=1)], "a keypointlabels without x, y"),
        ([drawn("keypointlabels", "Boat", x=True, y=1)], "without x, y"),
    ],
)
def test_what_is_no_prompt_is_named(regions, text):
    with pytest.raises(InvalidRequest, match=text):
        prompt_fields(read_regions({"result": regions}), (40, 20))


@pytest.mark.parametrize("context", [{"result": 7}, {"result": [7]}, {"result": [{"type": "x"}]}])
def test_what_is_no_context_is_refused(studio, context):
    body = asked(SMART, {"picture": uri(png())})
    body["params"]["context"] = context
    answer = studio.post("/mask-generation/predict", json=body)
    assert (answer.status_code, "context: expected" in answer.json()["error"]) == (400, True)


def test_a_click_is_answered_with_its_mask(studio, serving):
    body = asked(SMART, {"picture": uri(png((40, 20)))})
    body["params"]["context"] = {"result": [CLICK, BESIDE]}
    [found] = predicted(studio, "mask-generation", body)
    [mask] = found["result"]
    assert (mask["from_name"], mask["to_name"], mask["type"]) == ("mask", "photo", "brushlabels")
    assert mask["value"]["brushlabels"] == ["Boat"], "what the click was said to be"
    assert mask["value"]["format"] == "rle"


def test_each_rectangle_has_its_mask(studio, serving):
    body = asked(SMART, {"picture": uri(png((40, 20)))})
    other = drawn("rectanglelabels", "Sea", x=0, y=0, width=20, height=20, rotation=0)
    body["params"]["context"] = {"result": [FRAME, other]}
    [found] = predicted(studio, "mask-generation", body)
    # The stub answers one mask, whatever it is asked; tests/peers have a model that answers each.
    assert [r["value"]["brushlabels"] for r in found["result"]] == [["Boat"]]


def test_prompts_are_about_what_they_are_drawn_on(studio, serving):
    two = config(
        '<Image name="one" value="$a"/><Image name="two" value="$b"/>',
        *(
            f'<BrushLabels name="m{to}" toName="{to}"><Label value="Boat"/></BrushLabels>'
            for to in ("one", "two")
        ),
    )
    body = asked(two, {"a": uri(png()), "b": uri(png((10, 10)))})
    body["params"]["context"] = {"result": [drawn("keypointlabels", "Boat", to="two", x=1, y=1)]}
    [found] = predicted(studio, "mask-generation", body)
    assert {r["to_name"] for r in found["result"]} == {"two"}


SPEECH = config(
    '<Audio name="sound" value="$audio"/>',
    '<Labels name="who" toName="sound"><Label value="Speech"/><Label value="Noise"/></Labels>',
    '<TextArea name="said" toName="sound" perRegion="true"/>',
)


def test_speech_is_written_by_regions_where_the_project_has_them(studio, serving):
    data = {"audio": base64.b64encode(file(tone(1.0, 440))).decode()}
    [found] = predicted(studio, "automatic-speech-recognition", asked(SPEECH, data))
    assert "error" not in found, found
    kinds = [(r["type"], r["from_name"]) for r in found["result"]]
    assert kinds, "the stub says something"
    assert set(kinds) == {("labels", "who"), ("textarea", "said")}
    for region, text in zip(found["result"][::2], found["result"][1::2], strict=True):
        assert region["id"] == text["id"], "one region"
        assert region["value"]["labels"] == ["Speech"]
        assert 0 <= region["value"]["start"] <= region["value"]["end"]
        assert isinstance(text["value"]["text"][0], str)


def test_a_film_has_its_label(studio, serving):
    shown = config(
        '<Video name="film" value="$video"/>',
        '<Choices name="is" toName="film"><Choice value="Sail" predicted_values="sailing"/>'
        "</Choices>",
    )
    data = {"video": base64.b64encode(png()).decode()}
    [found] = predicted(studio, "video-classification", asked(shown, data))
    assert [r["value"]["choices"] for r in found["result"]] == [["Sail"]]
    assert found["result"][0]["to_name"] == "film"


@pytest.mark.parametrize(
    ("labels", "called"),
    [
        ('<Label value="Boat"/>', ["Boat"]),
        ('<Label value="Boat"/><Label value="Ferry" predicted_values="object"/>', ["Ferry"]),
        ('<Label value="Boat"/><Label value="Gull"/>', None),
    ],
)
def test_followed_objects_are_rectangles_through_a_film(studio, serving, labels, called):
    shown = config(
        '<Video name="film" value="$video"/>',
        f'<Labels name="what" toName="film">{labels}</Labels>',
        '<VideoRectangle name="where" toName="film"/>',
    )
    prompts = {"objects_ids": [1], "frame_indexes": [0], "boxes": [[1, 1, 6, 6]]}
    data = {"video": base64.b64encode(png()).decode(), **prompts}
    [found] = predicted(studio, "video-mask-generation", asked(shown, data))
    assert "error" not in found, found
    [region] = found["result"]
    assert (region["type"], region["from_name"]) == ("videorectangle", "where")
    assert region["to_name"] == "film"
    assert region["value"].get("labels") == called
    assert [each["frame"] for each in region["value"]["sequence"]] == [
        number + 1 for number in range(region["value"]["framesCount"])
    ]
    assert all(0 <= each["width"] <= 100 for each in region["value"]["sequence"])
    [missing] = predicted(studio, "video-mask-generation", asked(shown, {"video": data["video"]}))
    assert "objects_ids" in missing["error"]


@pytest.fixture(scope="module")
def bucket_url(
    s3: JobsSettings, api_settings: ApiSettings, jobs_settings: JobsSettings
) -> Iterator[str]:
    jobs = jobs_settings.model_copy(
        update={
            name: getattr(s3, name)
            for name in ("s3_endpoint_url", "s3_region", "s3_access_key_id", "s3_secret_access_key")
        }
    )
    client = boto3.client(
        "s3",
        endpoint_url=s3.s3_endpoint_url,
        region_name=s3.s3_region,
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )
    for bucket in ("pictures", "secret"):
        client.create_bucket(Bucket=bucket)
        for key in ("sea/a b.png", "land/a.png"):
            client.put_object(Bucket=bucket, Key=key, Body=png((40, 20)))
    client.put_object(Bucket="pictures", Key="sea/large.png", Body=bytes(3000))
    client.close()
    settings = {"url_buckets": "pictures/sea/, s3://whole", "url_max_bytes": 2000}
    with Server(api_settings.model_copy(update=settings), jobs) as url:
        yield url


def test_objects_of_allowed_buckets_are_read(bucket_url, redis_url, serving):
    def stored(name: str, path: str = "/tasks/7/resolve/") -> str:
        return f"{path}?fileuri={base64.b64encode(name.encode()).decode()}"

    good = ["s3://pictures/sea/a b.png", stored("s3://pictures/sea/a b.png")]
    good.append(stored("s3://pictures/sea/a b.png", "http://studio/tasks/7/presign/"))
    bad = {
        "s3://pictures/land/a.png": "not in WHERRY_URL_BUCKETS, or not this key",
        "s3://secret/sea/a b.png": "bucket 'secret' is not in WHERRY_URL_BUCKETS",
        "s3://pictures/sea/../land/a.png": "a key with . or .. in it",
        "s3://pictures/sea/gone.png": "bucket 'pictures': answered 404",
        "s3://pictures/sea/large.png": "over 2000 bytes",
        "s3://pictures": "not s3://bucket/key",
        "S3://whole/x.png": "bucket 'whole': answered 404",
        stored("http://169.254.169.254/"): "WHERRY_URL_HOSTS is empty",
        "/tasks/7/resolve/?fileuri=%C3%A9": "its fileuri cannot be read",
    }
    body = asked(BOXES_OF_PHOTO, *({"picture": name} for name in (*good, *bad)))
    with httpx.Client(base_url=f"{bucket_url}/label-studio", timeout=20) as studio:
        results = predicted(studio, "object-detection", body)
    for found in results[: len(good)]:
        assert "error" not in found, found
    for found, text in zip(results[len(good) :], bad.values(), strict=True):
        assert text in found["error"]


BOXES_OF_PHOTO = config('<Image name="photo" value="$picture"/>', boxes("box", "photo"))


def test_without_buckets_their_setting_is_named(studio, serving):
    body = asked(BOXES_OF_PHOTO, {"picture": "s3://pictures/sea/a.png"})
    [found] = predicted(studio, "object-detection", body)
    assert "WHERRY_URL_BUCKETS is empty" in found["error"]
