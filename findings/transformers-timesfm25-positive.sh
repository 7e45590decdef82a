#!/usr/bin/env bash
# TimesFM 2.5 of transformers 5.23.0 clips a series' forecast at zero by what its whole batch holds.
#
# `infer_is_positive`, which is on, is to keep the forecast of what was never negative from going below
# zero. The least value is taken over all series of a call, though: a single one below zero and no row
# is clipped. So a forecast depends on the row's company: sales forecast beside temperatures may be
# negative, the same sales alone are not. Median and quantiles both.
#
# Seen: of a series of zeros with a sale of 3 near its end, the first of eight steps is 0.0 alone and
# beside a series above zero, and -0.209 beside one that goes below it; the least quantile is 0.0 and
# -0.397. With truncate_negative=False the three are equal.
# Wanted by whoever batches: that argument, and each row clipped afterwards by its own least value.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import torch
from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

torch.manual_seed(0)
config = TimesFm2_5Config(
    patch_length=8,
    context_length=32,
    horizon_length=8,
    output_quantile_len=16,
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=2,
    head_dim=16,
)
assert config.infer_is_positive
model = TimesFm2_5ModelForPrediction(config).eval()
sales = torch.zeros(32)
sales[28] = 3.0
cold = torch.linspace(-4, 4, 32)
warm = cold + 10


def least(*company, **asked):
    """The least of the sales' median forecast, and of their quantiles."""
    with torch.no_grad():
        out = model(past_values=[sales, *company], **asked)
    return tuple(round(float(x[0].min()), 3) for x in (out.mean_predictions, out.full_predictions))


alone, beside_warm, beside_cold = least(), least(warm), least(cold)
print("least median and quantile: alone", alone, "beside warm", beside_warm, "beside cold", beside_cold)
assert alone == beside_warm == (0.0, 0.0), (alone, beside_warm)
assert max(beside_cold) < -0.1, beside_cold
raw = [least(*company, truncate_negative=False) for company in ((), (warm,), (cold,))]
assert raw == [beside_cold] * 3, raw
PY
echo "as before: one series below zero, and no forecast of the batch is clipped"
