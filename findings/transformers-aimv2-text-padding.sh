#!/usr/bin/env bash
# AIMv2's text model of transformers 5.23.0 looks ahead until something in the batch is padded.
#
# It makes a causal mask where it is given an attention mask. With the default attention, SDPA, that
# mask is left out where nothing is padded, for the attention to be asked to be causal instead; but
# this model's attention always says is_causal=False. So a text whose batch has no padding is read
# both ways, and the same text beside a longer one only forwards: its pooled vector (that of the end
# token, which stands before the padding) differs, with the right mask given in both calls. With
# eager attention the mask is always made, and the two agree.
#
# Seen, tiny and random: SDPA's pooled vector moves by 0.037 (values up to 2.2) once padded, and the
# first token's state by 0.23 where only the third token changes. Beside a text as long as itself,
# nothing moves. With attn_implementation="eager" all three are below 1e-5.
# Wanted by whoever serves it in batches: eager attention.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import torch
from transformers import Aimv2TextConfig, Aimv2TextModel

END = 49
shape = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
shape |= {"num_attention_heads": 2, "max_position_embeddings": 16, "eos_token_id": END}


def moves(**asked):
    """By how much a text moves: beside a longer one, beside one as long, and its first token."""
    torch.manual_seed(0)
    model = Aimv2TextModel._from_config(Aimv2TextConfig(**shape), **asked).eval()

    def read(*texts):
        width = max(len(text) for text in texts)
        ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
        mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
        with torch.no_grad():
            out = model(input_ids=ids, attention_mask=mask)
        return out.pooler_output[0], out.last_hidden_state[0, 0]

    text = [5, 6, 7, END]
    pooled, first = read(text)
    padded, _ = read(text, [8, 9, 10, 11, 12, END])
    equal, _ = read(text, [8, 9, 10, END])
    _, other_first = read([5, 6, 30, END])
    pairs = ((pooled, padded), (pooled, equal), (first, other_first))
    return model.config._attn_implementation, *(float((a - b).abs().max()) for a, b in pairs)


for asked in ({}, {"attn_implementation": "eager"}):
    name, padded, equal, first = moves(**asked)
    print(f"{name}: {padded:.1e} once padded, {equal:.1e} beside its like, {first:.1e} by what follows")
    assert equal < 1e-5, "without padding no row depends on another"
    if name == "sdpa":
        assert padded > 1e-2, "the padded text differs"
        assert first > 1e-1, "the first token sees the third"
    else:
        assert name == "eager" and max(padded, first) < 1e-5
PY
echo "as before: causal only where something is padded"
