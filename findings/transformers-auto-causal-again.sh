#!/usr/bin/env bash
# AutoModelForCausalLM of transformers 5.23.0 makes Emu3 and Mllama that it cannot read again.
#
# Of the whole model's config it makes the language model, and saves that one's config with it, whose
# type the class does not know. Seen: `from_config` and `save_pretrained` raise nothing;
# `from_pretrained` of the folder raises ValueError ("Unrecognized configuration class"). The class
# that config.json names under `architectures` reads the folder, with the same weights. Who offers what
# an Auto class can load has to look at `architectures`, too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - 2>log.txt <<'PY' || { cat log.txt; exit 1; }
import json
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, Emu3Config, LlamaConfig, MllamaConfig

TINY = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "pad_token_id": 0,
}
configs = (
    LlamaConfig(**TINY),
    Emu3Config(text_config=TINY, vocabulary_map={"<image>": 1}),
    MllamaConfig(text_config={**TINY, "cross_attention_layers": [1]}),
)
seen = []
for config in configs:
    folder = Path(config.model_type)
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    saved = json.loads((folder / "config.json").read_text())
    (name,) = saved["architectures"]
    again = getattr(transformers, name).from_pretrained(folder)
    weights = again.state_dict()
    assert all(torch.equal(weight, weights[key]) for key, weight in model.state_dict().items())
    try:
        seen.append(type(AutoModelForCausalLM.from_pretrained(folder)).__name__)
    except ValueError as error:
        seen.append(str(error).split(" <")[0])
    print(config.model_type, "saved as", saved["model_type"], name, "| read:", seen[-1])
assert seen == ["LlamaForCausalLM"] + ["Unrecognized configuration class"] * 2, seen
PY
echo "as before: two kinds are saved that the same class cannot read"
