"""How a graph differs from its dialect, in its operator's words: its names, and its images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..base import ModelRefused
from ..image.opencv import OPENCV
from ..image.pixels import Pixels, Resample
from .graph import Shape, Shapes

if TYPE_CHECKING:  # adapters are made of models, and these know their wiring
    from .adapter import Adapter, GraphInfo

_RESAMPLES: dict[str, Resample] = {
    **{filter_.name.lower(): filter_ for filter_ in Image.Resampling},
    OPENCV: OPENCV,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wiring:
    """What the model parameters of these names say; each is empty where the dialect is right.

    Raises ModelRefused for what means nothing.
    """

    input: Sequence[str] | str = ""
    outputs: Sequence[str] = ()
    layout: str = ""
    channels: str = ""
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    rescale_factor: float | None = None
    resample: str = ""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("layout", self.layout, ("NCHW", "NHWC")),
            ("channels", self.channels, ("RGB", "BGR")),
            ("resample", self.resample, tuple(_RESAMPLES)),
        ):
            if value and value not in known:
                raise ModelRefused(f"{name} {value!r}: use {' or '.join(known)}")
        if not isinstance(self.input, str) and not _are(self.input, str):
            raise ModelRefused(f"input {self.input!r}: give a name, or a list of names")
        if not _are(self.outputs, str):
            raise ModelRefused(f"outputs {self.outputs!r}: give a list of names")
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if numbers is not None and not (_are(numbers, int | float) and len(numbers) == 3):
                raise ModelRefused(f"{name} {numbers!r}: give three numbers, one a channel")
        if self.std is not None and min(self.std) <= 0:
            raise ModelRefused(f"std {[*self.std]}: give numbers over 0")
        if self.mean and max(self.mean) > 1 and self.rescale_factor is None:
            raise ModelRefused(
                f"mean {[*self.mean]} is of pixels of 0 to 255; they are brought to 0 to 1 first, "
                "unless rescale_factor = 1.0 is given too"
            )

    @property
    def inputs(self) -> Sequence[str]:
        """The graph's own names of the inputs that a dialect reads; "" for one that it has not."""
        return [self.input] if isinstance(self.input, str) and self.input else [*self.input]

    @property
    def of_images(self) -> list[str]:
        """Which of the parameters that are given tell of images."""
        names = ("layout", "channels", "mean", "std", "rescale_factor", "resample")
        return [name for name in names if getattr(self, name) not in ("", None)]

    @property
    def normalises(self) -> bool:
        """Whether it tells what becomes of the pixels' numbers."""
        return any(told is not None for told in (self.mean, self.std, self.rescale_factor))

    def seen(self, told: GraphInfo, adapter: type[Adapter]) -> GraphInfo:
        """A graph as an adapter is to see it. Raises ModelRefused for names that it has not."""
        names = self.names(told, adapter)
        outputs = self.outputs or [*told.outputs]
        last = self.channels_last(told)
        inputs = {
            names.get(name, name): _first(axes) if name in last else axes
            for name, axes in told.inputs.items()
        }
        if len(inputs) < len(told.inputs):
            raise ModelRefused(f"input {self.input!r}: two inputs would be called the same")
        return told._replace(
            inputs=inputs,
            outputs={names.get(name, name): told.outputs[name] for name in outputs},
        )

    def names(self, told: GraphInfo, adapter: type[Adapter]) -> dict[str, str]:
        """The dialect's name for each input and output that the graph calls otherwise."""
        _check("input", [name for name in self.inputs if name], told.inputs)
        _check("outputs", self.outputs, told.outputs)
        taken = zip(self.inputs, _taken(adapter), strict=False)
        names = {own: name for own, name in taken if own}
        return names | dict(zip(self.outputs, adapter.reads, strict=False))

    def check_read(self, told: GraphInfo, adapter: type[Adapter]) -> None:
        """Raise ModelRefused for words that an adapter would not hear."""
        taken, kept = _taken(adapter), adapter.reads
        if len(self.inputs) > len(taken):
            named = f"takes {', '.join(taken)} by other names" if taken else "has names of its own"
            raise ModelRefused(f"input {self.input!r}: dialect {adapter.dialect!r} {named}")
        if kept and len(self.outputs) > len(kept):
            raise ModelRefused(
                f"outputs {[*self.outputs]}: dialect {adapter.dialect!r} reads {', '.join(kept)}"
            )
        if self.layout and not any(len(axes) == 4 for axes in told.inputs.values()):
            raise ModelRefused(f"layout {self.layout!r}: the graph has no input of four axes")

    def channels_last(self, told: GraphInfo) -> set[str]:
        """Which of the graph's own inputs take (B, H, W, C)."""
        images = {name: axes for name, axes in told.inputs.items() if len(axes) == 4}
        if self.layout:
            return {*images} if self.layout == "NHWC" else set()
        return {name for name, axes in images.items() if axes[3] == 3 and axes[1] != 3}

    def applied(self, pixels: Pixels) -> Pixels:
        """Images prepared as told, where that differs from the folder's files or the dialect."""
        if self.normalises:
            factor = 1 / 255 if self.rescale_factor is None else self.rescale_factor
            mean, std = self.mean or (0.0, 0.0, 0.0), self.std or (1.0, 1.0, 1.0)
            pixels = replace(
                pixels,
                scale=tuple(factor / s for s in std),
                shift=tuple(-m / s for m, s in zip(mean, std, strict=True)),
            )
        if self.channels == "BGR":
            pixels = replace(pixels, order=(2, 1, 0))
        if self.resample:
            pixels = replace(pixels, resample=_RESAMPLES[self.resample])
        return pixels


def _are(values: object, kind: Any) -> bool:  # a declaration holds whatever was written
    return isinstance(values, list | tuple) and all(isinstance(value, kind) for value in values)


def _taken(adapter: type[Adapter]) -> tuple[str, ...]:
    """The names that a dialect has for what `input` names."""
    image: str = getattr(adapter, "image_input", "")
    return adapter.takes or ((image,) if image else ())


def _first(axes: Shape) -> Shape:
    return (axes[0], axes[3], axes[1], axes[2])


def _check(parameter: str, given: Sequence[str], there: Shapes) -> None:
    unknown = [name for name in given if name not in there]
    if unknown:
        raise ModelRefused(
            f"{parameter} {', '.join(map(repr, unknown))}: the graph has {', '.join(there)}"
        )


def read_labels(folder: Path, given: Sequence[str] | str) -> dict[str, str]:
    """An id2label of names in their order, or of a file of the folder: JSON, or a name a line.

    Raises ModelRefused.
    """
    if not isinstance(given, str):
        if not _are(given, str):
            raise ModelRefused(f"labels {given!r}: give a list of names, or a file of the folder")
        return {str(number): name for number, name in enumerate(given)}
    try:
        text = (folder / given).read_text(encoding="utf-8")
        names: Any = json.loads(text) if given.endswith(".json") else text.splitlines()
    except (OSError, ValueError) as error:
        raise ModelRefused(f"labels {given!r}: {error}") from error
    if isinstance(names, Mapping):
        return {str(number): str(name) for number, name in names.items()}
    return {str(number): str(name).strip() for number, name in enumerate(names)}
