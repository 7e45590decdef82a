"""Processors of pictures and text, with torchvision or without.

Where torchvision is not installed transformers makes no processor that could read videos, too,
although its image processors have a form of Pillow's. Such a processor is built from its parts, but
for the one for videos: Wherry sends none.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from transformers.utils.import_utils import is_torchvision_available

from .whole import find_file

#: Where a folder says which processor it wants, in the order in which transformers asks.
_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")

_VIDEO = "video_processor"


def load_processor(source: str, *, config: Any, revision: str | None = None) -> Any:
    """Load the processor of a model with that config, for still pictures at least."""
    from transformers import AutoProcessor

    named = _name(source, config, revision)
    found = processor_class(named) if named else None
    return (found or AutoProcessor).from_pretrained(
        source, revision=revision, trust_remote_code=False
    )


def processor_class(name: str) -> Any:
    """The class of a processor, which reads still pictures alone where torchvision is missing; None
    where transformers has none of that name that can be imported.
    """
    found = _imported(name)
    if found is None:
        return None
    module = sys.modules[found.__module__]
    if getattr(module, "num2words", "") is None:  # SmolVLM spells how many frames a video has
        module.num2words = str  # type: ignore[attr-defined] # nobody calls it
    if not is_torchvision_available() and _VIDEO in found.get_attributes():
        return _for_stills(found)
    return found


class _NoVideos(dict[str, Any]):
    """Stands where transformers wants a video processor, which it can write as JSON."""

    model_input_names: tuple[str, ...] = ()

    @classmethod
    def from_pretrained(cls, *_: object, **__: object) -> _NoVideos:
        return cls()

    def __getattr__(self, setting: str) -> None:
        if setting.startswith("_"):
            raise AttributeError(setting)


def _for_stills(kind: Any) -> Any:
    """The same kind of processor, which never looks for a video processor."""

    class Stills(kind):  # type: ignore[misc] # found at run time
        video_processor_class = _VIDEO

        @staticmethod
        def get_possibly_dynamic_module(name: str) -> Any:
            return _NoVideos if name == _VIDEO else kind.get_possibly_dynamic_module(name)

        def check_argument_for_proper_class(self, name: str, part: Any) -> Any:
            return (
                _NoVideos if name == _VIDEO else super().check_argument_for_proper_class(name, part)
            )

    return Stills


def _name(source: str, config: Any, revision: str | None) -> str | None:
    """What a folder's processor is called; None where neither it nor transformers says."""
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    for file in _FILES:
        path = find_file(source, file, revision)
        if path is None:
            continue
        name = json.loads(Path(path).read_text(encoding="utf-8")).get("processor_class")
        if name:
            return str(name)
    kind = type(config)
    mapped: Any = PROCESSOR_MAPPING.get(kind, None)
    return mapped and str(mapped.__name__)


def _imported(name: str) -> Any:
    """The class of transformers of that name; None where it has none that can be imported."""
    import transformers

    found = getattr(transformers, name, None)
    if not getattr(found, "is_dummy", False):
        return found
    folder, _, kind = found.__module__.rpartition(".processing_")
    pillow, other = f"{folder}.image_processing_pil_{kind}", f"{folder}.image_processing_{kind}"
    try:
        if importlib.util.find_spec(pillow) is not None:
            # Pixtral's module wants a function that both forms of its image processor have.
            sys.modules[other] = importlib.import_module(pillow)
        return getattr(importlib.import_module(found.__module__), name)
    except ImportError:
        return None
    finally:
        sys.modules.pop(other, None)
