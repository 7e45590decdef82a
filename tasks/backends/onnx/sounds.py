"""What the adapters that hear plain samples share: wav2vec 2.0 and its kin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import Task, TaskInput
from ..company import Batching, Probe, Values, apart
from ..rows import alike
from ..sound.waveform import Samples, decode, noises
from .graph import Arrays, Graph
from .model import OnnxModel

#: Sounds, or windows of them, that one run takes.
_MAX_ROWS = 16

#: Samples per output of every wav2vec 2.0 and its kin that is known.
_PER_OUTPUT = 320


class Listener(NamedTuple):
    """How a model wants its samples: preprocessor_config.json, and config.json's convolutions."""

    rate: int
    normalise: bool
    #: Whether a batch may be padded: a model that normalises over all of a sound hears padding.
    pads: bool
    max_seconds: float
    #: Kernel and stride of each convolution; their inputs are not padded.
    layers: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, task: Task, model: OnnxModel) -> Listener:
        """The settings that the folder tells; Wav2Vec2's own where it does not."""
        told = model.read_json("preprocessor_config.json")
        told = told or model.read_json("processor_config.json").get("feature_extractor") or {}
        masked = told.get("return_attention_mask") and "attention_mask" in model.graph.inputs
        config = model.config
        kernels, strides = config.get("conv_kernel") or (), config.get("conv_stride") or ()
        return cls(
            rate=int(told.get("sampling_rate") or 16_000),
            normalise=bool(told.get("do_normalize", True)),
            pads=bool(masked)
            and config.get("feat_extract_norm") == "layer"
            and not model.graph.rows_alone,
            max_seconds=task.max_row_cost / 1000,
            layers=tuple(zip(kernels, strides, strict=True)),
        )

    @property
    def per_output(self) -> int:
        """How many samples an output stands for."""
        return math.prod(stride for _, stride in self.layers) if self.layers else _PER_OUTPUT

    def outputs(self, samples: int) -> int:
        """How many outputs so many samples make."""
        if not self.layers:
            return samples // _PER_OUTPUT
        for kernel, stride in self.layers:
            samples = (samples - kernel) // stride + 1
        return samples

    def heard(self, row: TaskInput) -> Samples:
        """A row's samples at the model's rate. Raises RowError."""
        given: Any = row  # an input of sounds
        samples = decode(
            given.audio[0], given.sample_rate, rate=self.rate, max_seconds=self.max_seconds
        )
        if self.outputs(len(samples)) < 1:
            raise RowError(f"a sound of {len(samples)} samples at {self.rate}/s is too short")
        return samples

    def probe(self, graph: Graph) -> Probe[Samples] | None:
        """Noise of three lengths; None for a model that is never padded."""
        if not self.pads:
            return None
        rows = noises(self.rate)

        def said(sounds: Sequence[Samples]) -> list[Values]:
            values = graph.run_rows(self._arrays(sounds))["logits"]
            if values.ndim == 2:  # labels of a sound, not letters of its moments
                return [[row] for row in values]
            return [[v[: self.outputs(len(s))]] for v, s in zip(values, sounds, strict=True)]

        return Probe(rows, rows[0][::-1].copy(), said)

    def logits(
        self, graph: Graph, sounds: Sequence[Samples], batching: Batching
    ) -> list[NDArray[np.float32]]:
        """Each sound's logits: padded in one run where that is allowed, else a run per length."""
        if not self.pads and batching == "padded":
            batching = "equal-length"
        groups = alike(apart(batching, i, len(sound)) for i, sound in enumerate(sounds))
        found: dict[int, NDArray[np.float32]] = {}
        for group in groups:
            for at in range(0, len(group), _MAX_ROWS):
                part = group[at : at + _MAX_ROWS]
                out = graph.read("logits", self._arrays([sounds[i] for i in part]))
                found.update(zip(part, out, strict=True))
        return [found[i] for i in range(len(sounds))]

    def _arrays(self, sounds: Sequence[Samples]) -> Arrays:
        longest = max(map(len, sounds))
        values = np.zeros((len(sounds), longest), dtype=np.float32)
        mask = np.zeros((len(sounds), longest), dtype=np.int64)
        for row, samples in enumerate(sounds):
            values[row, : len(samples)] = self._normal(samples)
            mask[row, : len(samples)] = 1
        return {"input_values": values, "attention_mask": mask}

    def _normal(self, samples: Samples) -> Samples:
        if not self.normalise:
            return samples
        normal: Samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        return normal
