#!/usr/bin/env bash
# FSMTModel of transformers 5.23.0 answers logits as its `last_hidden_state`.
#
# AutoModel of a translation model has the decoder's states, as wide as `d_model`, in that field:
# BART and Marian do. Seen: of FSMT it is as wide as the target vocabulary. Who pools it for an
# embedding makes vectors of word scores, and takes their width from the vocabulary.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import torch
from transformers import AutoModel, BartConfig, FSMTConfig, MarianConfig

shape = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32}
shape |= {"decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
source, target = torch.tensor([[5, 6, 2]]), torch.tensor([[2, 5]])
seen = {}
for config in (
    BartConfig(vocab_size=120, **shape),
    MarianConfig(vocab_size=120, pad_token_id=1, decoder_start_token_id=1, **shape),
    FSMTConfig(langs=["en", "de"], src_vocab_size=110, tgt_vocab_size=120, **shape),
):
    model = AutoModel.from_config(config).eval()
    with torch.no_grad():
        out = model(input_ids=source, decoder_input_ids=target)
    seen[config.model_type] = tuple(out.last_hidden_state.shape)
print(seen)
assert seen == {"bart": (1, 2, 32), "marian": (1, 2, 32), "fsmt": (1, 2, 120)}, seen
PY
echo "as before: FSMT's last hidden state is as wide as the vocabulary"
