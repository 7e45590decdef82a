"""Tiny models that forecast: TimesFM, PatchTST, PatchTSMixer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from .parts import loud, save

_TIMES: dict[str, Any] = {
    "patch_length": 8,
    "context_length": 32,
    "horizon_length": 16,
    "num_hidden_layers": 1,
    "hidden_size": 16,
    "intermediate_size": 16,
    "head_dim": 8,
    "num_attention_heads": 2,
}
_PATCHES: dict[str, Any] = {
    "num_input_channels": 1,
    "context_length": 32,
    "prediction_length": 8,
    "patch_length": 8,
    "patch_stride": 8,
    "stride": 8,
    "d_model": 16,
}


def timesfm(folder: Path) -> None:
    """The first TimesFM, with quantiles and frequencies."""
    model = hf.TimesFmModelForPrediction(hf.TimesFmConfig(**_TIMES))
    save(folder, loud(model, "freq_emb", "output_layer", "residual_layer"))


def timesfm2_5(folder: Path) -> None:
    """TimesFM 2.5, which cuts forecasts off at zero where no series goes below it."""
    config = hf.TimesFm2_5Config(**_TIMES, num_key_value_heads=2, output_quantile_len=16)
    model = hf.TimesFm2_5ModelForPrediction(config)
    save(folder, loud(model, "output_layer", "residual_layer"))


def patchtst(folder: Path) -> None:
    """A PatchTST of one channel."""
    config = hf.PatchTSTConfig(
        **_PATCHES, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16, loss="mse"
    )
    save(folder, hf.PatchTSTForPrediction(config))


def patchtsmixer(folder: Path) -> None:
    """A PatchTSMixer of one channel."""
    config = hf.PatchTSMixerConfig(**_PATCHES, num_layers=1, loss="mse")
    save(folder, hf.PatchTSMixerForPrediction(config))
