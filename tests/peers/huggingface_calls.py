"""What huggingface_client.py calls, and the same as fields of our inputs.

`@image` and the like stand for files.
"""

from __future__ import annotations

from typing import Any, NamedTuple

TEXT = "The quick brown fox jumps over the lazy dog."
LABELS = ["red circle", "blue square"]
TABLE = {"boat": ["wherry", "tug"], "number": ["12", "3"]}
QUESTION = {"question": "Who jumps?", "context": TEXT}
WORDS = [["Total", [100, 100, 200, 150]], ["39.50", [220, 100, 320, 150]]]
SHORT: dict[str, Any] = {"max_new_tokens": 6}


class Call(NamedTuple):
    """A method with its arguments; the task and the fields that ask the same of us."""

    method: str
    arguments: dict[str, Any]
    task: str
    fields: dict[str, Any]
    #: Which variant of the method; "" for the plain one.
    note: str = ""

    @property
    def name(self) -> str:
        """As the compatibility page lists it."""
        return f"{self.method}, {self.note}" if self.note else self.method


def _of(method: str, task: str, arguments: dict[str, Any], note: str = "", **fields: Any) -> Call:
    return Call(method, arguments, task, fields, note)


_IMAGE: dict[str, Any] = {"image": "@image"}
_SOUND: dict[str, Any] = {"audio": "@sound"}

CALLS = (
    _of("text_classification", "text-classification", {"text": TEXT}, texts=[TEXT]),
    _of(
        "text_classification",
        "text-classification",
        {"text": TEXT, "top_k": 2, "function_to_apply": "sigmoid"},
        "with parameters",
        texts=[TEXT],
        top_k=2,
        function_to_apply="sigmoid",
    ),
    _of(
        "zero_shot_classification",
        "zero-shot-classification",
        {
            "text": TEXT,
            "candidate_labels": LABELS,
            "multi_label": True,
            "hypothesis_template": "It is {}.",
        },
        texts=[TEXT],
        candidate_labels=LABELS,
        multi_label=True,
        hypothesis_template="It is {}.",
    ),
    _of(
        "fill_mask",
        "fill-mask",
        {"text": "The quick [MASK].", "top_k": 3},
        texts=["The quick [MASK]."],
        top_k=3,
    ),
    _of(
        "token_classification",
        "token-classification",
        {"text": TEXT},
        texts=[TEXT],
        aggregation_strategy="simple",
    ),
    _of(
        "token_classification",
        "token-classification",
        {"text": TEXT, "aggregation_strategy": "none", "ignore_labels": []},
        "of tokens",
        texts=[TEXT],
        ignore_labels=[],
    ),
    _of(
        "question_answering",
        "question-answering",
        QUESTION,
        questions=["Who jumps?"],
        contexts=[TEXT],
    ),
    _of(
        "question_answering",
        "question-answering",
        {**QUESTION, "top_k": 2, "max_answer_len": 4, "align_to_words": False},
        "with parameters",
        questions=["Who jumps?"],
        contexts=[TEXT],
        top_k=2,
        max_answer_len=4,
        align_to_words=False,
    ),
    _of(
        "table_question_answering",
        "table-question-answering",
        {"table": TABLE, "query": "How many?"},
        queries=["How many?"],
        tables=[TABLE],
    ),
    _of(
        "document_question_answering",
        "document-question-answering",
        {"image": "@image", "question": "Total?", "word_boxes": WORDS, "top_k": 2},
        images=["@image"],
        questions=["Total?"],
        word_boxes=[WORDS],
        top_k=2,
    ),
    _of(
        "visual_question_answering",
        "visual-question-answering",
        {"image": "@image", "question": "What?", "top_k": 2},
        images=["@image"],
        question="What?",
        top_k=2,
    ),
    _of(
        "summarization",
        "summarization",
        {"text": TEXT, "generate_parameters": SHORT, "truncation": "longest_first"},
        texts=[TEXT],
        truncate=True,
        **SHORT,
    ),
    _of(
        "translation",
        "translation",
        {"text": TEXT, "generate_parameters": SHORT, "clean_up_tokenization_spaces": True},
        texts=[TEXT],
        **SHORT,
    ),
    _of("text_generation", "text-generation", {"prompt": "The", **SHORT}, texts=["The"], **SHORT),
    _of(
        "text_generation",
        "text-generation",
        {"prompt": "The", "details": True, **SHORT},
        "details",
        texts=["The"],
        **SHORT,
    ),
    _of(
        "text_generation",
        "text-generation",
        {"prompt": "The", "stream": True, **SHORT},
        "stream",
        texts=["The"],
        **SHORT,
    ),
    _of(
        "text_generation",
        "text-generation",
        {"prompt": "The", "stream": True, "details": True, **SHORT},
        "stream with details",
        texts=["The"],
        **SHORT,
    ),
    _of(
        "feature_extraction",
        "feature-extraction",
        {"text": TEXT, "truncate": True},
        "a vector per token",
        texts=[TEXT],
    ),
    _of(
        "feature_extraction",
        "embedding",
        {"text": [TEXT, "Hello."], "normalize": False},
        "a vector per text",
        texts=[TEXT, "Hello."],
        normalize=False,
    ),
    _of(
        "sentence_similarity",
        "sentence-similarity",
        {"sentence": TEXT, "other_sentences": ["A fox.", "Rates rose."]},
        source_sentences=[TEXT],
        sentences=[["A fox.", "Rates rose."]],
    ),
    _of("image_classification", "image-classification", _IMAGE, images=["@image"]),
    _of(
        "image_classification",
        "image-classification",
        {"image": "@image-path", "top_k": 2},
        "with parameters",
        images=["@image"],
        top_k=2,
    ),
    _of("object_detection", "object-detection", _IMAGE, images=["@image"]),
    _of(
        "object_detection",
        "object-detection",
        {**_IMAGE, "threshold": 0.2},
        "with parameters",
        images=["@image"],
        threshold=0.2,
    ),
    _of(
        "image_segmentation",
        "image-segmentation",
        {**_IMAGE, "threshold": 0.1, "subtask": "semantic"},
        images=["@image"],
        threshold=0.1,
        subtask="semantic",
    ),
    _of(
        "zero_shot_image_classification",
        "zero-shot-image-classification",
        {**_IMAGE, "candidate_labels": LABELS, "hypothesis_template": "a {}"},
        images=["@image"],
        candidate_labels=LABELS,
        hypothesis_template="a {}",
    ),
    _of("image_to_text", "image-to-text", _IMAGE, images=["@image"]),
    _of("image_to_image", "image-to-image", _IMAGE, images=["@image"]),
    _of(
        "image_to_image",
        "image-to-image",
        {**_IMAGE, "target_size": {"width": 20, "height": 10}},
        "with parameters",
        images=["@image"],
    ),
    _of(
        "text_to_image",
        "text-to-image",
        {
            "prompt": "fog",
            "num_inference_steps": 2,
            "seed": 7,
            "guidance_scale": 3.0,
            "negative_prompt": "sun",
            "width": 32,
            "height": 32,
        },
        prompts=["fog"],
        num_inference_steps=2,
        seed=7,
        guidance_scale=3.0,
        negative_prompt="sun",
        width=32,
        height=32,
    ),
    _of("text_to_speech", "text-to-speech", {"text": "Hello."}, texts=["Hello."]),
    _of(
        "text_to_speech",
        "text-to-audio",
        {"text": "Rain.", "do_sample": True, "max_new_tokens": 9, "top_k": 5},
        "with parameters",
        texts=["Rain."],
        do_sample=True,
        max_new_tokens=9,
        top_k=5,
    ),
    _of("audio_classification", "audio-classification", _SOUND, audio=["@sound"]),
    _of(
        "audio_classification",
        "audio-classification",
        {**_SOUND, "top_k": 1},
        "with parameters",
        audio=["@sound"],
        top_k=1,
    ),
    _of("automatic_speech_recognition", "automatic-speech-recognition", _SOUND, audio=["@sound"]),
    _of(
        "automatic_speech_recognition",
        "automatic-speech-recognition",
        {**_SOUND, "extra_body": {"return_timestamps": True}},
        "with timestamps",
        audio=["@sound"],
        return_timestamps=True,
    ),
)
