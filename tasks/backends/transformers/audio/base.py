from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from .....protocol.errors import RowError
from ....base import Task, TaskInput
from ...company import Company, Probe, Values, apart
from ...device import Device
from ...rows import alike, check_entries
from ...sound.waveform import Samples, decode, noises
from ..base import TransformersBackend

log = logging.getLogger(__name__)

Tensors = Mapping[str, torch.Tensor]


class AudioBackend(TransformersBackend):
    """Models that listen.

    `max_seconds` bounds a sound's length, None as the task does; `max_forward_rows` how many sounds
    or windows of them one forward takes.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        max_seconds: float | None = None,
        max_forward_rows: int = 16,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        if max_forward_rows < 1:
            raise ValueError(f"max_forward_rows {max_forward_rows}: use 1 or more")
        self._max_seconds = task.max_row_cost / 1000 if max_seconds is None else max_seconds
        self._max_forward_rows = max_forward_rows
        self.extractor: Any = None

    def load_processor(self) -> None:
        """Load the feature extractor."""
        from transformers import AutoFeatureExtractor

        self.extractor = AutoFeatureExtractor.from_pretrained(
            self.source, revision=self._revision, trust_remote_code=False
        )

    @property
    def rate(self) -> int:
        """Samples per second that the model wants."""
        rate: int = self.extractor.sampling_rate
        return rate

    def samples(self, row: TaskInput) -> Samples:
        """A row's sound, (samples,). Raises RowError."""
        fields: Any = row  # audio inputs have audio and sample_rate
        samples = decode(
            fields.audio[0], fields.sample_rate, rate=self.rate, max_seconds=self._max_seconds
        )
        if self.outputs(len(samples)) < 1:
            raise RowError(f"a sound of {len(samples)} samples at {self.rate}/s is too short")
        return samples

    def outputs(self, samples: int) -> int:
        """How many outputs the model's convolutions make of so many samples; 1 where it has none.

        Their kernels are not padded (wav2vec 2.0 and its kin).
        """
        config = self.model.config
        if not hasattr(config, "conv_kernel") or not hasattr(config, "conv_stride"):
            return 1
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        return samples

    def extract(self, samples: Samples) -> Tensors:
        """A sound as the model's own extractor makes it, (1, ...) each. Raises RowError."""
        try:
            made = dict(self.extractor(samples, sampling_rate=self.rate, return_tensors="pt"))
        except (AssertionError, ValueError) as error:
            log.info("the feature extractor refused a row: %s", error)
            raise RowError(
                f"the model's extractor refuses a sound of {len(samples)} samples at {self.rate}/s"
            ) from None
        check_entries(made, 1)
        return made

    def probe(self) -> Probe[Samples] | None:
        """Noise of three lengths; None for a model that is never padded."""
        rows = noises(self.rate)
        if not self._pads():
            if len({_shapes(self.extract(row)) for row in rows}) > 1:
                self.company = Company("equal-length")
            return None
        return Probe(rows, rows[0][::-1].copy(), self._probe_outputs, self.tolerance)

    def _probe_outputs(self, sounds: Sequence[Samples]) -> list[Values]:
        """The logits of sounds that are padded together, as far as each sound lasts."""
        features = [self.extract(samples) for samples in sounds]
        with self.forward():
            logits = self.model(**self.to_device(self._stacked(features))).logits
            values = logits.float().cpu().numpy()
        if values.ndim == 2:  # labels of a sound, not letters of its moments
            return [[row] for row in values]
        return [
            [row[: self.outputs(len(samples))]] for row, samples in zip(values, sounds, strict=True)
        ]

    def batches(self, features: Sequence[Tensors]) -> Iterator[tuple[list[int], Tensors]]:
        """Features in batches for a forward each, with the positions they came from."""
        batching = self.company.batching
        if batching == "padded" and not self._pads():
            batching = "equal-length"
        groups = alike(apart(batching, i, _shapes(row)) for i, row in enumerate(features))
        for group in groups:
            for at in range(0, len(group), self._max_forward_rows):
                part = group[at : at + self._max_forward_rows]
                yield part, self._stacked([features[i] for i in part])

    def _pads(self) -> bool:
        """Whether shorter sounds may be padded to the longest without another answer.

        Only with a mask, and with norms that look at one moment. A group norm looks at all of the
        sound, its padding included: wav2vec2-base's logits, of 0.1, moved by 0.03 with the mask.
        """
        config, extractor = self.model.config, self.extractor
        masked = getattr(extractor, "return_attention_mask", False)
        by_moment = getattr(config, "feat_extract_norm", "") == "layer"
        return masked and by_moment and not getattr(config, "add_adapter", False)

    def _stacked(self, features: Sequence[Tensors]) -> Tensors:
        if len({_shapes(row) for row in features}) == 1:
            return {name: torch.cat([row[name] for row in features]) for name in features[0]}
        return {
            name: pad_sequence(
                [row[name][0] for row in features],
                batch_first=True,
                padding_value=0 if name == "attention_mask" else self.extractor.padding_value,
            )
            for name in features[0]
        }


def _shapes(row: Tensors) -> tuple[torch.Size, ...]:
    return tuple(tensor.shape for tensor in row.values())
