"""A project's labelling configuration: which controls it has, and what their labels are.

See https://labelstud.io/tags and https://labelstud.io/guide/setup.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET  # a document type, whose entities grow, is refused

from ....protocol.errors import InvalidRequest
from ....tasks.label_studio.results import Result

#: Characters of a configuration, at most.
_MAX_CHARACTERS = 1_000_000

#: Type of a result -> the tag of its control.
CONTROL_OF: Mapping[str, str] = {
    "brushlabels": "BrushLabels",
    "choices": "Choices",
    "keypointlabels": "KeyPointLabels",
    "labels": "Labels",
    "polygonlabels": "PolygonLabels",
    "rectangle": "Rectangle",
    "rectanglelabels": "RectangleLabels",
    "textarea": "TextArea",
    "videorectangle": "VideoRectangle",
}

#: Tag of an object -> what it shows.
_SHOWN = {
    "Audio": "audio",
    "AudioPlus": "audio",
    "HyperText": "text",
    "Image": "image",
    "Paragraphs": "text",
    "Text": "text",
    "Video": "video",
}

#: What of a page a task's input may be taken from; the first that there is.
_SOURCES = {"audio": ("audio", "video")}

_DOCUMENT_TYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Control:
    """A control that annotates one object of the page."""

    tag: str
    name: str
    to_name: str
    #: What a model may call a label, in lower case -> what results call it.
    labels: Mapping[str, str]
    #: Whether it says something of each region, not of the whole.
    per_region: bool = False


@dataclass(frozen=True, slots=True)
class ObjectTag:
    """An object of the page: what it shows, and the key of the task's data that has it."""

    name: str
    content: str
    key: str
    #: Whether the key's value is a list: of the pages of one object.
    many: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """A labelling configuration, as far as predictions have to do with it."""

    controls: Sequence[Control]
    shown: Mapping[str, ObjectTag]

    def objects(self, content: str) -> list[ObjectTag]:
        """The objects that show images, audio, film or text; sound may be a film's, too."""
        for source in _SOURCES.get(content, (content,)):
            found = [one for one in self.shown.values() if one.content == source]
            if found:
                return found
        return []

    def control(self, kind: str, shown: ObjectTag) -> Control | None:
        """The first control for a type of result, of those that annotate an object."""
        fitting = (c for c in self.controls if c.to_name == shown.name)
        return next((c for c in fitting if c.tag == CONTROL_OF[kind]), None)

    def annotated(self, kinds: Collection[str], content: str) -> list[ObjectTag]:
        """The objects that have a control for one of some types of results."""
        return [
            shown
            for shown in self.objects(content)
            if any(self.control(kind, shown) for kind in kinds)
        ]

    def times_speech(self, shown: ObjectTag) -> bool:
        """Whether what is said is to be written down by regions, each with its time."""
        text = self.control("textarea", shown)
        return bool(text and text.per_region and self.control("labels", shown))

    def labels(self) -> list[str]:
        """What all controls can say, for models that are told what to look for."""
        return list(dict.fromkeys(label for c in self.controls for label in c.labels.values()))

    def fit(self, results: Sequence[Result], shown: ObjectTag) -> list[Result]:
        """Results under the names that the configuration has; what it cannot show is left out."""
        fitted, chosen = [], False
        for result in results:
            kind = result["type"]
            control = self.control(kind, shown)
            value = _relabelled(control, kind, result["value"]) if control else None
            if control and kind == "videorectangle":
                value = self._called(shown, result["value"])
            if control is None or value is None or (kind == "choices" and chosen):
                continue
            chosen |= kind == "choices"  # the surest that the project has
            named = {"from_name": control.name, "to_name": control.to_name, "value": value}
            fitted.append({**result, **named})
        return fitted

    def _called(self, shown: ObjectTag, value: dict[str, Any]) -> dict[str, Any]:
        """A rectangle under a label of the Labels beside it: its own, or the only one there; under
        none where it has neither, for people to say what it is.
        """
        beside = self.control("labels", shown)
        labels = beside.labels if beside else {}
        only = set(labels.values())
        own = labels.get(value["labels"][0].lower()) or (only.pop() if len(only) == 1 else "")
        return (
            {**value, "labels": [own]} if own else {k: v for k, v in value.items() if k != "labels"}
        )


def _relabelled(control: Control, kind: str, value: dict[str, Any]) -> dict[str, Any] | None:
    """A value with the control's labels; None where it does not have them."""
    if kind not in value or not control.labels:
        return value if kind in ("rectangle", "textarea") else None
    labels = [control.labels.get(label.strip().lower()) for label in value[kind]]
    return None if None in labels else {**value, kind: labels}


def read_config(text: object) -> Config:
    """Parse a configuration. Raises InvalidRequest."""
    if not isinstance(text, str):
        raise InvalidRequest("label_config: expected a text of XML")
    if len(text) > _MAX_CHARACTERS or _DOCUMENT_TYPE.search(text):
        raise InvalidRequest("label_config: too long, or with a document type")
    try:
        root = ET.fromstring(text)  # noqa: S314 # see the import
    except ET.ParseError as error:
        raise InvalidRequest(f"label_config: not XML: {error}") from None
    controls, shown = [], {}
    for tag in root.iter():
        name, to_name = tag.get("name", ""), tag.get("toName", "")
        if name and to_name:
            # Some controls annotate several objects at once: the first counts.
            per_region = tag.get("perRegion", "").lower() == "true"
            first = to_name.split(",")[0].strip()
            controls.append(Control(tag.tag, name, first, _labels(tag), per_region))
        elif name and tag.tag in _SHOWN:
            shown[name] = _object(tag, name)
    return Config(controls, shown)


def _object(tag: ET.Element, name: str) -> ObjectTag:
    pages = tag.get("valueList", "")
    value = pages or tag.get("value", "")
    return ObjectTag(name, _SHOWN[tag.tag], value.removeprefix("$"), many=bool(pages))


def _labels(control: ET.Element) -> dict[str, str]:
    """Names of labels; `predicted_values` lists what models call them, as Label Studio's own do."""
    labels: dict[str, str] = {}
    for tag in control.iter():
        value = tag.get("value", "")
        if tag.tag not in ("Label", "Choice") or not value:
            continue
        written = tag.get("alias") or value
        for known in (value, written, *tag.get("predicted_values", "").split(",")):
            if known.strip():
                labels.setdefault(known.strip().lower(), written)
    return labels
