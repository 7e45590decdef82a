from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import torch

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....multimodal.time_series_forecasting import (
    TimeSeriesForecastingInput,
    TimeSeriesForecastingOutput,
)
from ...base import ModelRefused
from ...rows import Decoded, alike
from ..base import TransformersBackend

Series = torch.Tensor

#: Types whose models are of one class: the class.
_PATCHED = {"patchtst": "PatchTSTForPrediction", "patchtsmixer": "PatchTSMixerForPrediction"}

#: Types that want more of each row than its values.
_FEATURED = ("autoformer", "informer", "time_series_transformer")


class SeriesForecast(NamedTuple):
    """What a model says to series: means (B, H), quantiles (B, H, Q)."""

    means: torch.Tensor
    quantiles: torch.Tensor


class TimeSeriesForecasting(TransformersBackend):
    """TimesFM, PatchTST and PatchTSMixer, over series of one channel."""

    _forecast: Callable[[Sequence[Series], Sequence[int]], SeriesForecast]

    def load(self) -> None:
        """Load the model. Raises ModelRefused for one that wants more than a series' values."""
        config = self.read_config()
        kind = config.model_type
        if kind in _FEATURED:
            raise ModelRefused(
                f"{self.source}: a {kind} wants past and future time features of every row, made "
                "as in its training, which no client of this task sends; TimesFM, PatchTST and "
                "PatchTSMixer need the values alone"
            )
        if kind in _PATCHED:
            _check_patched(str(self.source), config)
        self.auto_class = _PATCHED.get(kind, "AutoModelForTimeSeriesPrediction")
        super().load()

    def load_processor(self) -> None:
        """Read what the model's config says of lengths and quantiles."""
        config = self.model.config
        self._context: int = config.context_length
        self._kind: str = config.model_type
        if self._kind in _PATCHED:
            self._horizon, self._levels = int(config.prediction_length), ()
            self._forecast = self._patched
        else:
            self._horizon = int(config.horizon_length)
            self._levels = tuple(map(float, config.quantiles))
            self._forecast = self._times

    _levels: tuple[float, ...]
    _horizon: int

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """SeriesForecast series together; they are brought to one length by the model itself."""
        decoded = Decoded(batch, self._series)
        answers: list[TaskOutput | RowError] = [RowError("")] * len(decoded.rows)
        for places in alike(map(self._company, decoded.rows)):
            series = [decoded.rows[place] for place in places]
            asked = [_asked(decoded.inputs[place]) for place in places]
            frequencies = [row.frequencies[0] if row.frequencies else 0 for row in asked]
            with self.forward():
                values = [self.to_device({"v": one})["v"] for one in series]
                found = self._forecast(values, frequencies)
                means, quantiles = found.means.float().cpu(), found.quantiles.float().cpu()
            for number, place in enumerate(places):
                answers[place] = self._answer(asked[number], means[number], quantiles[number])
        return decoded.answers(answers)

    def _series(self, row: TaskInput) -> Series:
        """The part of a series that the model looks at. Raises RowError."""
        asked = _asked(row)
        given = asked.prediction_length or self._horizon
        if given > self._horizon:
            raise RowError(f"prediction_length: {given}; this model forecasts {self._horizon}")
        for level in asked.quantile_levels or ():
            if self._place(level) is None:
                known = ", ".join(f"{known:g}" for known in self._levels) or "none"
                raise RowError(f"quantile_levels: {level:g}; this model has {known}")
        if asked.frequencies and self._kind != "timesfm":
            raise RowError(f"freq: a {self._kind} takes none")
        series = torch.tensor(asked.past_values[0][-self._context :], dtype=torch.float32)
        if not bool(series.isfinite().all()):
            raise RowError("past_values: a value is too large for float32")
        if self._kind in _PATCHED and len(series) < self._context:
            raise RowError(
                f"past_values: {len(series)} values; this model needs {self._context} or more"
            )
        return series

    def _place(self, level: float) -> int | None:
        """Where a quantile is among the model's; clients' float32 is near enough."""
        near = (place for place, own in enumerate(self._levels) if abs(own - level) < 1e-6)
        return next(near, None)

    def _company(self, series: Series) -> Hashable:
        """TimesFM 2.5 cuts forecasts off at zero where no series of the batch goes below it."""
        return self._kind == "timesfm2_5" and bool(series.min() >= 0)

    def _times(self, series: Sequence[Series], frequencies: Sequence[int]) -> SeriesForecast:
        more: dict[str, Any] = {"freq": list(frequencies)} if self._kind == "timesfm" else {}
        out = self.model(past_values=list(series), **more)
        return SeriesForecast(out.mean_predictions, out.full_predictions[:, :, 1:])

    def _patched(self, series: Sequence[Series], _: Sequence[int]) -> SeriesForecast:
        means = self.model(past_values=torch.stack(list(series)).unsqueeze(-1)).prediction_outputs
        return SeriesForecast(means[:, :, 0], means[:, :, :0])

    def _answer(
        self, asked: TimeSeriesForecastingInput, means: torch.Tensor, quantiles: torch.Tensor
    ) -> TaskOutput | RowError:
        """A row's forecast as it asks for it, and whether its beginning was not looked at."""
        if not bool(means.isfinite().all() and quantiles.isfinite().all()):
            return RowError("past_values: too large for this model, whose forecast is not finite")
        length = asked.prediction_length or self._horizon
        levels = list(self._levels if asked.quantile_levels is None else asked.quantile_levels)
        places = [place for level in levels if (place := self._place(level)) is not None]
        output = TimeSeriesForecastingOutput(
            means=[means[:length].tolist()],
            quantiles=[quantiles[:length, places].tolist() if places else []],
            levels=[levels],
        )
        count = len(asked.past_values[0])
        if count <= self._context:
            return output
        return output.warned(f"of {count} past values the model looks at the last {self._context}")


def _asked(row: TaskInput) -> TimeSeriesForecastingInput:
    assert isinstance(row, TimeSeriesForecastingInput)
    return row


def _check_patched(source: str, config: Any) -> None:
    """Raise ModelRefused for a model of several channels, or that answers a distribution."""
    if config.num_input_channels != 1:
        raise ModelRefused(
            f"{source}: the model reads {config.num_input_channels} channels together; this task "
            "has series of one"
        )
    if config.loss != "mse":
        raise ModelRefused(
            f"{source}: the model answers a distribution (loss {config.loss!r}), which is drawn "
            "from by chance; one that was trained for mse answers values"
        )
