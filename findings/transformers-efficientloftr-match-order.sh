#!/usr/bin/env bash
# EfficientLoFTR of transformers 5.23.0 answers as pairs places that do not belong together.
#
# The model picks the right matches, but lists those places of the first image by the second image's
# places, and those of the second by the first's. `post_process_keypoint_matching` keeps, of each list,
# what has a match, so that the n-th of one stands beside the n-th of the other. Such a pair is right
# only where both orders agree: of an image and itself all are, which hides it. `matches` is described
# as the index in the OTHER image; its first row holds indices in the first image.
#
# Seen: with coarse features put in by hand that leave no doubt (each of the 8 x 8 places has one of
# its own, and in the second image all have moved, round the edges, by 24 and 16 pixels) all 64 places
# are matched, each with a score of 1, and 0 of the 64 pairs lie 24 and 16 pixels apart: all 64 lie 48
# and 32 apart, as far again. The model's own `matches`, read in the order that they are in, are right
# for all 64. Where nothing moves, 64 of 64 pairs are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 numpy==2.4.6 pillow==13.0.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import torch
from transformers import EfficientLoFTRConfig, EfficientLoFTRForKeypointMatching
from transformers.models.efficientloftr.image_processing_pil_efficientloftr import (
    EfficientLoFTRImageProcessorPil,
)

SIDE, STEP = 8, 8  # places a side, pixels a place
PLACES = SIDE * SIDE
torch.manual_seed(0)
config = EfficientLoFTRConfig(
    stage_num_blocks=[1, 1, 1, 1],
    out_features=[8, 8, 16, PLACES],
    hidden_size=PLACES,
    num_attention_layers=1,
    fine_matching_slice_dim=4,
    coarse_matching_border_removal=0,
)
model = EfficientLoFTRForKeypointMatching(config).eval()
own = 30 * torch.eye(PLACES).reshape(PLACES, SIDE, SIDE)
size = (SIDE * STEP, SIDE * STEP)


def moved(across, down):
    """What the documented calls find where the second image is the first one, moved."""

    def features(module, given, out):
        out.feature_maps[0].copy_(torch.stack([own, own.roll((down, across), (1, 2))])[None])

    hook = model.efficientloftr.register_forward_hook(features)
    with torch.no_grad():
        out = model(pixel_values=torch.rand(1, 2, 3, *size))
    hook.remove()
    return out, EfficientLoFTRImageProcessorPil().post_process_keypoint_matching(out, [[size, size]])[0]


def apart(found, across, down):
    """How many pairs lie so far apart, but for what the fine steps move within a place."""
    off = found["keypoints1"] - found["keypoints0"] - STEP * torch.tensor([across, down])
    return int((((off + STEP) % size[0]) < 2 * STEP).all(1).sum())


out, found = moved(3, 2)
assert len(found["keypoints0"]) == PLACES and found["matching_scores"].min() > 0.99
right, twice = apart(found, 3, 2), apart(found, 6, 4)
print("moved by 24 and 16:", right, "pairs so far apart;", twice, "are 48 and 32 apart, of", PLACES)
assert (right, twice) == (0, PLACES)

numbers = torch.arange(PLACES).reshape(SIDE, SIDE)
goes_to = numbers.roll((-2, -3), (0, 1)).flatten()  # of the first image's places, in their order
comes_from = numbers.roll((2, 3), (0, 1)).flatten()  # of the second image's
assert torch.equal(out.matches[0, 1], goes_to), "the second image's, in the first one's order"
assert torch.equal(out.matches[0, 0], comes_from), "the first image's, in the second one's order"

_, found = moved(0, 0)
print("not moved:", apart(found, 0, 0), "pairs are right")
assert apart(found, 0, 0) == PLACES
PY
echo "as before: each image's matches are in the other one's order"
