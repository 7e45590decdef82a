"""`inputs` of the tasks that take images or sounds: the file as the body, or base64 in JSON."""

from __future__ import annotations

from typing import Any

from ....protocol.errors import InvalidRequest
from ...http.media import is_picture_uri, read_media
from .requests import HfRequest, Rows
from .requests_text import Reader, candidate_labels, entries, part, text

#: Pixels of an edge that an answer may be resized to.
_MAX_EDGE = 4096

_FILE = "a file as the body, base64, or a list of these"


def _file(asked: HfRequest, value: object, name: str) -> bytes:
    """A file's bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        value = part(value, name)
    if isinstance(value, str) and (not value or value.isspace()):
        raise InvalidRequest("inputs: the file is empty")
    return read_media(value, "inputs", asked.files)


def _files(asked: HfRequest, name: str) -> tuple[list[bytes], bool]:
    rows, many = entries(asked.inputs, _FILE)
    return [_file(asked, row, name) for row in rows], many


def _images(asked: HfRequest) -> Rows:
    images, many = _files(asked, "image")
    return Rows({"images": images}, many)


def _sounds(asked: HfRequest) -> Rows:
    sounds, many = _files(asked, "audio")
    return Rows({"audio": sounds}, many)


def _pairs(asked: HfRequest) -> Rows:
    """Two images, or a list of such pairs, as transformers' pipeline takes them."""
    expected = "two images in base64, or a list of such pairs"
    rows, _ = entries(asked.inputs, expected)
    many = all(isinstance(row, list) for row in rows)
    pairs = rows if many else [rows]
    if any(len(pair) != 2 for pair in pairs):
        raise InvalidRequest(f"inputs: expected {expected}")
    files = [[_file(asked, image, "image") for image in pair] for pair in pairs]
    return Rows({"pairs": files}, many)


def _videos(asked: HfRequest) -> Rows:
    """A file of a moving picture each; a list in the list holds one's frames."""
    rows, many = entries(asked.inputs, f"{_FILE}; in it a list is the frames of one")
    videos = []
    for row in rows:
        video = part(row, "video") if isinstance(row, dict) else row
        files = video if isinstance(video, list) else [video]
        videos.append([_file(asked, file, "image") for file in files])
    return Rows({"videos": videos}, many)


def _images_or_texts(asked: HfRequest) -> Rows:
    """Rows of either: `{image}`, a data URI or the body are images, `{text}` and others texts."""
    expected = "a text, {text}, {image}, an image as the body, or a list of these"
    rows, many = entries(asked.inputs, expected)
    seen = [_is_image(row) for row in rows]
    images = [
        _file(asked, row, "image") if is_image else b""
        for row, is_image in zip(rows, seen, strict=True)
    ]
    texts = [
        "" if is_image else text(row["text"] if isinstance(row, dict) else row, "inputs")
        for row, is_image in zip(rows, seen, strict=True)
    ]
    given = {"images": images if any(seen) else None, "texts": None if all(seen) else texts}
    return Rows(given, many)


def _is_image(row: object) -> bool:
    if isinstance(row, dict):
        if ("image" in row) == ("text" in row):
            raise InvalidRequest(
                "inputs: one vector is of a text or of an image: {text} or {image}"
            )
        return "image" in row
    return isinstance(row, bytes) or (isinstance(row, str) and is_picture_uri(row))


def _zero_shot(name: str, field: str) -> Reader:
    """Files of one kind, and the labels to choose from."""

    def read(asked: HfRequest) -> Rows:
        inner = asked.inputs if isinstance(asked.inputs, dict) else {}
        labels = candidate_labels(inner, asked.parameters)
        files, many = _files(asked, name)
        return Rows({field: files, "candidate_labels": labels}, many)

    return read


def _prompted(*names: str) -> Reader:
    """Images with prompts: a parameter per image, or per list of images a list of these."""

    def read(asked: HfRequest) -> Rows:
        images, many = _files(asked, "image")
        given = {
            name: asked.parameters.pop(name)
            for name in names
            if asked.parameters.get(name) is not None
        }
        return Rows({"images": images, **{n: v if many else [v] for n, v in given.items()}}, many)

    return read


def _spoken_of(asked: HfRequest, *names: str, kind: str = "image") -> tuple[Any, ...]:
    """Files of a kind, a text about each, and whether a list was sent."""
    beside = [v for name in names if (v := asked.parameters.pop(name, None)) is not None]
    asked.parameters.pop(kind, None)  # InferenceClient sends it a second time
    rows, many = entries(asked.inputs, f"{{{kind}, {names[0]}}} or a list of these")
    files, texts = [], []
    for row in rows:
        files.append(_file(asked, row, kind))
        inner = next((row[n] for n in names if isinstance(row, dict) and n in row), None)
        said = inner if inner is not None else next(iter(beside), None)
        if said is None:
            raise InvalidRequest(f"inputs.{names[0]}: missing")
        texts.append(text(said, f"inputs.{names[0]}"))
    return files, texts, many


def _visual_question(asked: HfRequest) -> Rows:
    images, questions, many = _spoken_of(asked, "question", "text")
    if len(set(questions)) > 1:
        raise InvalidRequest("inputs.question: one question for all images; send several requests")
    return Rows({"images": images, "question": questions[0]}, many)


def _document_question(asked: HfRequest) -> Rows:
    words = asked.parameters.pop("word_boxes", None)
    images, questions, many = _spoken_of(asked, "question")
    fields: dict[str, Any] = {"images": images, "questions": questions}
    if words is not None:
        if many:
            raise InvalidRequest("parameters.word_boxes: for one image alone")
        fields["word_boxes"] = [_word_boxes(words)]
    return Rows(fields, many)


def _word_boxes(words: object) -> object:
    """Pairs [word, box]; or word, box, word, box, as InferenceClient's types have it."""
    if isinstance(words, list) and words and isinstance(words[0], str) and len(words) % 2 == 0:
        return [list(pair) for pair in zip(words[::2], words[1::2], strict=True)]
    return words


def _image_and_text(asked: HfRequest) -> Rows:
    images, texts, many = _spoken_of(asked, "text", "prompt", "question")
    return Rows({"images": images, "texts": texts}, many)


def _pages(asked: HfRequest) -> Rows:
    rows, many = entries(asked.inputs, "{query, images} or a list of these")
    queries = [text(part(row, "query", "text"), "inputs.query") for row in rows]
    listed = [entries(part(row, "images", "pages"), "a list of images")[0] for row in rows]
    pages = [[_file(asked, page, "image") for page in files] for files in listed]
    return Rows({"queries": queries, "pages": pages}, many)


def _audio_and_text(asked: HfRequest) -> Rows:
    sounds, texts, many = _spoken_of(asked, "text", "prompt", "question", kind="audio")
    return Rows({"audio": sounds, "texts": texts}, many)


def _image_to_image(asked: HfRequest) -> Rows:
    images, many = _files(asked, "image")
    return Rows({"images": images}, many, size=_size(asked.parameters.pop("target_size", None)))


def _size(given: object) -> tuple[int, int] | None:
    if given is None:
        return None
    if isinstance(given, dict) and set(given) == {"width", "height"}:
        width, height = given["width"], given["height"]
        if all(type(n) is int and 1 <= n <= _MAX_EDGE for n in (width, height)):
            return width, height
    raise InvalidRequest(
        f"parameters.target_size: expected {{width, height}} in pixels, {_MAX_EDGE} at most"
    )


#: Task -> the reader of its inputs.
READERS: dict[str, Reader] = {
    "audio-classification": _sounds,
    "audio-text-to-text": _audio_and_text,
    "automatic-speech-recognition": _sounds,
    "depth-estimation": _images,
    "document-question-answering": _document_question,
    "image-anonymization": _images,
    "image-classification": _images,
    "image-feature-extraction": _images,
    "image-segmentation": _images,
    "image-text-to-text": _image_and_text,
    "image-to-image": _image_to_image,
    "image-to-text": _images,
    "keypoint-detection": _prompted("boxes"),
    "keypoint-matching": _pairs,
    "mask-generation": _prompted("points", "labels", "boxes", "mask_inputs", "image_embeddings"),
    "multimodal-embedding": _images_or_texts,
    "multivector-embedding": _images_or_texts,
    "object-detection": _images,
    "optical-character-recognition": _images,
    "video-classification": _videos,
    "visual-document-retrieval": _pages,
    "visual-question-answering": _visual_question,
    "zero-shot-audio-classification": _zero_shot("audio", "audio"),
    "zero-shot-image-classification": _zero_shot("image", "images"),
    "zero-shot-object-detection": _zero_shot("image", "images"),
}
