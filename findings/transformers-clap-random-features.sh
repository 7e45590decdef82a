#!/usr/bin/env bash
# CLAP's feature extractor draws at random from numpy's global state, in two places.
#
# transformers 5.23.0, ClapFeatureExtractor. Of a sound that is longer than `max_length_s` it takes
# parts that it draws: two calls with one sound give two spectrograms, for both ways to truncate. And
# with truncation="fusion" one sound of a call is always marked `is_longer`: where none is, it is one
# that is drawn. A short sound by itself is marked, then, each time; beside another it is marked about
# half of the time. The model reads the mark, so a row's answer depends on its company and on chance.
#
# Seen: two calls with 3 s of noise differ ("rand_trunc" and "fusion"); with numpy.random.seed(0)
# before each they are equal. Of 40 calls with one short sound all 40 marked it; of 40 calls with two,
# each marked one of them, now the first, now the second.
# Wanted by whoever serves CLAP in batches: one call a row, with the state seeded and put back.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.23.0 torch==2.13.0 numpy==2.4.6

"$work/venv/bin/python" - <<'PY'
import numpy as np
from transformers import ClapFeatureExtractor


def made(truncation, *sounds):
    extractor = ClapFeatureExtractor(max_length_s=1, sampling_rate=48_000, truncation=truncation)
    return extractor(list(sounds), sampling_rate=48_000, return_tensors="np")


noise = np.random.default_rng(0).normal(0, 0.1, 3 * 48_000)
for truncation in ("rand_trunc", "fusion"):
    one, two = (made(truncation, noise)["input_features"] for _ in range(2))
    assert np.abs(one - two).max() > 1, "one sound, two spectrograms"
    seeded = []
    for _ in range(2):
        np.random.seed(0)
        seeded.append(made(truncation, noise)["input_features"])
    assert np.array_equal(*seeded)
    print(truncation, "differs by up to", round(float(np.abs(one - two).max()), 1), "dB")

short = noise[:24_000]
alone = [bool(made("fusion", short)["is_longer"][0][0]) for _ in range(40)]
assert all(alone), "a short sound by itself is always marked as longer"
both = [tuple(bool(m[0]) for m in made("fusion", short, -short)["is_longer"]) for _ in range(40)]
assert set(both) == {(True, False), (False, True)}, "one of two, drawn"
print("marked alone:", sum(alone), "of 40; the first of two:", sum(one for one, _ in both), "of 40")
PY
