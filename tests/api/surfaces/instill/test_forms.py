"""How entries are read and answers written; no server runs."""

from __future__ import annotations

from typing import Any

import jsonschema
import numpy as np
import pytest

from wherry.api.surfaces.instill.trigger import FORMS, Plan, written
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.base import TaskOutput
from wherry.tasks.multimodal.custom import CustomOutput
from wherry.tasks.multimodal.text_to_image import TextToImageInput
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.embedding import EmbeddingOutput
from wherry.tasks.text.generation import GenerationInput
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.tasks.values.masks import write_mask
from wherry.tasks.values.rle import decode_decimal
from wherry.tasks.vision.image_segmentation import (
    ImageSegmentationInput,
    ImageSegmentationOutput,
    Segment,
)
from wherry.tasks.vision.keypoint_detection import Keypoint, KeypointDetectionOutput

from . import spec
from .entries import DATA, IMAGE, WORDS, asked, inputs


def answered(task: str, plan: Plan, *answers: TaskOutput, box_key: str = "bounding_box") -> Any:
    return written(get_task(task), plan.layout, answers, box_key)


def test_every_task_of_instill_has_a_form_and_every_form_data() -> None:
    ours = {get_task(name).aliases.instill for name in FORMS}
    # Two that its protobuf names have no schema: nobody could read an answer.
    theirs = {get_task(name).aliases.instill for name in task_names()} - {""}
    assert theirs - ours == {"TASK_IMAGE_TO_IMAGE", "TASK_SPEECH_RECOGNITION"}
    assert {*spec.DATA} - ours == {"TASK_SEMANTIC_SEGMENTATION"}
    assert set(DATA) == set(FORMS)


@pytest.mark.parametrize("task", FORMS)
def test_a_golden_answer_is_written_as_the_spec_says(task: str) -> None:
    entry = {"data": {"model": "ignored", **DATA[task]}}
    plan, golden = asked(task, entry, entry), get_task(task).example.output
    rows = golden.rows()
    answers = [type(golden).join([rows[0]] * job.row_count) for job in plan.jobs]
    body = answered(task, plan, *answers, box_key="bounding-box")
    assert len(body["taskOutputs"]) == 2
    for output in body["taskOutputs"]:
        jsonschema.validate(output, spec.OUTPUTS[body["task"]])


def test_a_box_is_called_as_the_operator_says() -> None:
    plan, golden = asked("object-detection", {"data": IMAGE}), get_task("object-detection").example
    (item,) = answered("object-detection", plan, golden.output)["taskOutputs"][0]["data"]["objects"]
    assert item == {
        "category": "boat",
        "score": 0.875,
        "bounding_box": {"top": 2, "left": 1, "width": 6, "height": 4.5},
    }
    body = answered("object-detection", plan, golden.output, box_key="bounding-box")
    assert "bounding-box" in body["taskOutputs"][0]["data"]["objects"][0]


def test_the_likeliest_category_alone_is_asked_for_and_answered() -> None:
    plan = asked("image-classification", {"data": IMAGE})
    assert [job.top_k for job in plan.jobs] == [1]  # type: ignore[attr-defined] # its task's Input
    golden = get_task("image-classification").example.output
    (output,) = answered("image-classification", plan, golden)["taskOutputs"]
    assert output == {"data": {"category": "fog", "score": 0.75}}


MASK = np.zeros((40, 60), bool)
MASK[10:25, 20:50] = np.random.default_rng(0).random((15, 30)) < 0.7
MASK[10, 20] = MASK[24, 49] = True


def _segments(*scores: float, mask: np.ndarray[Any, Any] = MASK) -> ImageSegmentationOutput:
    return ImageSegmentationOutput(
        segments=[[Segment(label="tug", score=s, mask=write_mask(mask)) for s in scores]]
    )


def test_the_runs_of_an_instance_cover_its_box() -> None:
    plan = asked("image-segmentation", {"data": IMAGE})
    body = answered("image-segmentation", plan, _segments(1.0, 0.5))
    assert body["task"] == "TASK_INSTANCE_SEGMENTATION"
    for item in body["taskOutputs"][0]["data"]["objects"]:
        box = item["bounding_box"]
        assert box == {"top": 10, "left": 20, "width": 30, "height": 15}
        assert sum(map(int, item["rle"].split(","))) == 30 * 15
        inside = decode_decimal(item["rle"], box["height"], box["width"])
        assert np.array_equal(inside, MASK[10:25, 20:50])
        assert (item["category"], type(box["top"])) == ("tug", int)


def test_the_runs_of_a_map_cover_the_image() -> None:
    plan = asked("image-segmentation", {"data": IMAGE})
    body = answered("image-segmentation", plan, _segments(1.0, 1.0))
    assert body["task"] == "TASK_SEMANTIC_SEGMENTATION"
    (first, _) = body["taskOutputs"][0]["data"]["stuffs"]
    assert set(first) == {"rle", "category"}
    assert np.array_equal(decode_decimal(first["rle"], 40, 60), MASK)


def test_one_image_with_scores_makes_all_of_them_instances() -> None:
    plan = asked("image-segmentation", {"data": IMAGE}, {"data": IMAGE})
    joined = ImageSegmentationOutput.join([_segments(1.0), _segments(0.5)])
    assert answered("image-segmentation", plan, joined)["task"] == "TASK_INSTANCE_SEGMENTATION"


def test_nothing_found_and_nothing_covered_are_instances_too() -> None:
    plan = asked("image-segmentation", {"data": IMAGE})
    body = answered("image-segmentation", plan, _segments())
    assert body == {
        "task": "TASK_INSTANCE_SEGMENTATION",
        "taskOutputs": [{"data": {"objects": []}}],
    }
    body = answered("image-segmentation", plan, _segments(0.5, mask=np.zeros((4, 6), bool)))
    (item,) = body["taskOutputs"][0]["data"]["objects"]
    assert item["rle"] == "0"
    assert item["bounding_box"] == {"top": 0, "left": 0, "width": 0, "height": 0}


def test_a_trigger_may_say_which_segments_it_wants() -> None:
    (job,) = inputs("image-segmentation", IMAGE, subtask="semantic", mask_threshold=0.25)
    assert isinstance(job, ImageSegmentationInput)
    assert (job.subtask, job.mask_threshold) == ("semantic", 0.25)


def test_keypoints_are_told_object_by_object() -> None:
    points = [
        Keypoint(label="nose", score=0.5, x=4, y=2),
        Keypoint(label="nose", score=1, x=9, y=9, object=1),
        Keypoint(label="eye", score=1, x=1, y=8),
    ]
    plan = asked("keypoint-detection", {"data": IMAGE})
    body = answered("keypoint-detection", plan, KeypointDetectionOutput(keypoints=[points]))
    first, second = body["taskOutputs"][0]["data"]["objects"]
    assert first["keypoints"] == [{"x": 4, "y": 2, "v": 0.5}, {"x": 1, "y": 8, "v": 1}]
    assert first["score"] == 0.75
    assert first["bounding_box"] == {"top": 2, "left": 1, "width": 3, "height": 6}
    assert len(second["keypoints"]) == 1


def test_generation_takes_what_the_spec_takes_by_default() -> None:
    (job,) = inputs("text-generation", {"prompt": "Once"})
    assert isinstance(job, TextGenerationInput)
    assert (job.max_new_tokens, job.temperature, job.top_p, job.seed) == (50, 0.7, 1, 0)
    assert job.do_sample


def test_parameters_are_passed_under_our_names() -> None:
    # Numbers that came through a protobuf Struct are doubles.
    given = {"max_tokens": 7.0, "temperature": 0, "top_p": 0.5, "seed": 3.0, "stream": True}
    for spelled in (given, {"max-tokens": 7, **given}):
        (job,) = inputs("chat", WORDS, **spelled)
        assert isinstance(job, GenerationInput)
        assert (job.max_new_tokens, job.temperature, job.top_p, job.seed) == (7, 0, 0.5, 3)
        assert not job.do_sample
    (job,) = inputs("chat", WORDS, num_beams=2, stop=["."])
    assert isinstance(job, ChatInput)
    assert (job.num_beams, job.do_sample, job.stop) == (2, False, ["."])


def test_several_answers_differ_in_their_seed_and_share_the_prompt() -> None:
    plan = asked("text-generation", {"data": {"prompt": "Once"}, "parameter": {"n": 3, "seed": 5}})
    assert [job.seed for job in plan.jobs] == [5, 6, 7]  # type: ignore[attr-defined] # its task's Input
    golden = get_task("text-generation").example.output
    (output,) = answered("text-generation", plan, golden, golden, golden)["taskOutputs"]
    assert [choice["index"] for choice in output["data"]["choices"]] == [0, 1, 2]
    assert output["metadata"]["usage"] == {
        "completion-tokens": 9,
        "prompt-tokens": 5,
        "total-tokens": 14,
    }


def test_a_system_message_stands_before_the_prompt() -> None:
    (job,) = inputs("text-generation", {"prompt": "Once", "system-message": "Be brief."})
    assert isinstance(job, TextGenerationInput)
    assert job.texts == ["Be brief.\n\nOnce"]
    (job,) = inputs("text-generation", {"prompt": "Once", "system-message": ""})
    assert job.texts == ["Once"]  # type: ignore[attr-defined] # its task's Input


def test_messages_keep_their_parts_and_lose_their_names() -> None:
    two = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    (job,) = inputs(
        "chat",
        {
            "messages": [
                {"role": "system", "content": "Be brief.", "name": "me"},
                {"role": "user", "content": two},
            ]
        },
    )
    assert isinstance(job, ChatInput)
    assert job.messages == [
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": two}]
    ]


def test_entries_whose_parameters_agree_share_a_job() -> None:
    texts = [{"data": {"prompt": text}, "parameter": {"seed": seed}} for text, seed in
             (("a", 0), ("b", 1), ("c", 0), ("d", 0))]  # fmt: skip
    plan = asked("text-generation", *texts)
    assert [job.texts for job in plan.jobs] == [["a", "c", "d"], ["b"]]  # type: ignore[attr-defined] # its task's Input
    golden = get_task("text-generation").example.output
    made = [
        golden.model_copy(
            update={
                "generations": [
                    golden.generations[0].model_copy(update={"text": text.upper()})  # type: ignore[attr-defined] # its Output
                    for text in job.texts  # type: ignore[attr-defined] # its task's Input
                ]
            }
        )
        for job in plan.jobs
    ]
    outputs = answered("text-generation", plan, *made)["taskOutputs"]
    assert [o["data"]["choices"][0]["content"] for o in outputs] == ["A", "B", "C", "D"]


def test_rows_beyond_what_a_job_may_have_are_the_next_jobs() -> None:
    entry = {"data": DATA["embedding"]}
    plan = asked("embedding", entry, entry, rows=3)
    assert [job.texts for job in plan.jobs] == [["a", "b", "a"], ["b"]]  # type: ignore[attr-defined] # its task's Input
    made = [EmbeddingOutput(embeddings=[[1.0], [2.0], [3.0]]), EmbeddingOutput(embeddings=[[4.0]])]
    first, second = answered("embedding", plan, *made)["taskOutputs"]
    assert [item["vector"] for item in first["data"]["embeddings"]] == [[1.0], [2.0]]
    assert [item["vector"] for item in second["data"]["embeddings"]] == [[3.0], [4.0]]


def test_vectors_are_indexed_and_cut_on_demand() -> None:
    entry = {"data": DATA["embedding"], "parameter": {"dimensions": 2, "input-type": "query"}}
    plan = asked("embedding", entry, {"data": DATA["embedding"]})
    assert [job.texts for job in plan.jobs] == [["a", "b", "a", "b"]]  # type: ignore[attr-defined] # its task's Input
    vectors = EmbeddingOutput(embeddings=[[0.6, 0.0, 0.8]] * 4)
    cut, whole = answered("embedding", plan, vectors)["taskOutputs"]
    assert [item["index"] for item in cut["data"]["embeddings"]] == [0, 1]
    assert cut["data"]["embeddings"][0]["vector"] == [1.0, 0.0]
    assert whole["data"]["embeddings"][1]["vector"] == [0.6, 0.0, 0.8]
    with pytest.raises(InvalidRequest, match=r"taskInputs\[0\].*vectors have 1"):
        answered("embedding", plan, EmbeddingOutput(embeddings=[[1.0]] * 4))


def test_images_and_texts_of_an_entry_keep_their_order() -> None:
    plan = asked("multimodal-embedding", {"data": DATA["multimodal-embedding"]})
    assert [job.row_count for job in plan.jobs] == [2, 1]
    made = [EmbeddingOutput(embeddings=[[1.0], [3.0]]), EmbeddingOutput(embeddings=[[2.0]])]
    (output,) = answered("multimodal-embedding", plan, *made)["taskOutputs"]
    assert [item["vector"] for item in output["data"]["embeddings"]] == [[1.0], [2.0], [3.0]]
    with pytest.raises(InvalidRequest, match=r"data\.embeddings\[0\]"):
        inputs("multimodal-embedding", {"embeddings": [{"type": "text"}]})
    with pytest.raises(InvalidRequest, match=r"parameter\.truncate: use 'None' or 'End'"):
        inputs("multimodal-embedding", DATA["multimodal-embedding"], truncate="Start")


def test_a_custom_handler_gets_the_data_and_what_is_beside_it() -> None:
    (job,) = inputs("custom", {"inputs": "a"}, shout=True)
    assert job.data == [{"inputs": "a", "parameters": {"shout": True}}]  # type: ignore[attr-defined] # its task's Input
    plan = asked("custom", {"data": {"inputs": "a"}})
    (output,) = answered("custom", plan, CustomOutput(results=[3]))["taskOutputs"]
    assert output == {"data": {"result": 3}}


@pytest.mark.parametrize(
    ("aspect", "size"),
    [("1:1", (None, None)), ("16:9", (680, 384)), ("9:16", (384, 680)), ("2:3", (416, 624))],
)
def test_an_aspect_ratio_is_a_size(aspect: str, size: tuple[int | None, int | None]) -> None:
    (job,) = inputs("text-to-image", {"prompt": "a"}, aspect_ratio=aspect, negative_prompt="")
    assert isinstance(job, TextToImageInput)
    assert (job.width, job.height) == size
    assert (job.negative_prompt, job.seed) == (None, 0)
