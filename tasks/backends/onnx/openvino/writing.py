"""The generating tasks over graphs on OpenVINO."""

from __future__ import annotations

from ...transformers.text.chat import Chat
from ...transformers.text.summarization import Summarization
from ...transformers.text.text2text_generation import Text2TextGeneration
from ...transformers.text.text_generation import TextGeneration
from ...transformers.text.translation import Translation
from ..writing.backends import GraphWriting
from .on_openvino import OnOpenVino


class OpenVinoTextGeneration(OnOpenVino, GraphWriting, TextGeneration):
    """How a graph goes on."""


class OpenVinoChat(OnOpenVino, GraphWriting, Chat):
    """What a graph answers."""


class OpenVinoText2Text(OnOpenVino, GraphWriting, Text2TextGeneration):
    """What graphs make of a text."""


class OpenVinoSummarization(OnOpenVino, GraphWriting, Summarization):
    """Summaries by graphs."""


class OpenVinoTranslation(OnOpenVino, GraphWriting, Translation):
    """Translations by graphs."""
