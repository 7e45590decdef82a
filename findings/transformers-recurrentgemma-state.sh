#!/usr/bin/env bash
# RecurrentGemma of transformers 5.23.0 begins a prompt of one token in the last request's state.
#
# Its layers keep the states of the convolution and the recurrence in themselves, not in the cache
# that `generate` makes for each call. Seen: a prompt of two tokens gives the same logits whatever ran
# before it; one of a single token gives others after another text, and even when it is merely asked
# twice. Who serves many requests from one model has to clear that state before each `generate`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import torch
from transformers import RecurrentGemmaConfig, RecurrentGemmaForCausalLM

torch.manual_seed(0)
config = RecurrentGemmaConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    lru_width=32,
    attention_window_size=16,
    initializer_range=0.5,
)
model = RecurrentGemmaForCausalLM(config).eval()


def logits(*prompt: int) -> torch.Tensor:
    """Those of the first new token."""
    tokens = torch.tensor([prompt])
    answer = model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=1,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    return answer.logits[0][0]


def moved_by(prompt: tuple[int, ...], between: tuple[int, ...]) -> float:
    before = logits(*prompt)
    logits(*between)
    return float((logits(*prompt) - before).abs().max())


two, one = moved_by((7, 5), between=(40, 41, 42)), moved_by((7,), between=(9, 8, 3, 4))
print(f"after another text a prompt of two tokens moved by {two}, one of one token by {one:.4f}")
assert two == 0
assert one > 1e-3
PY
echo "as before: a prompt of one token sees the request before it"
