#!/usr/bin/env bash
# StableDiffusionPipeline of diffusers 0.42.1 passes over a width without a height, in silence.
#
# Seen: with `width` alone, or `height` alone, the picture has the model's own size in both; nothing
# is raised or warned of. With both it has the size that was asked for. Who hands parameters on has
# to ask for both, or fill in the other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 diffusers==0.42.1
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - 2>log.txt <<'PY' || { cat log.txt; exit 1; }
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

torch.manual_seed(0)
pipeline = StableDiffusionPipeline(
    vae=AutoencoderKL(
        block_out_channels=[32, 32],
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
    ),
    text_encoder=CLIPTextModel(CLIPTextConfig(hidden_size=32, num_hidden_layers=1, vocab_size=99)),
    tokenizer=None,
    unet=UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
    ),
    scheduler=DDIMScheduler(clip_sample=False),
    safety_checker=None,
    feature_extractor=None,
    requires_safety_checker=False,
)
pipeline.set_progress_bar_config(disable=True)


def size(**asked: int) -> tuple[int, int]:
    prompt = torch.zeros(1, 4, 32)
    drawn = pipeline(prompt_embeds=prompt, guidance_scale=1.0, num_inference_steps=1, **asked)
    return drawn.images[0].size


seen = size(), size(width=32), size(height=32), size(width=32, height=32)
print("nothing, width, height, both:", *seen)
assert seen == ((16, 16), (16, 16), (16, 16), (32, 32))
PY
echo "as before: a width without a height changes nothing"
