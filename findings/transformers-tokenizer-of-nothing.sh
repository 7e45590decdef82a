#!/usr/bin/env bash
# transformers 5.23.0 makes a tokenizer of a folder that holds none.
#
# A folder with a config.json alone, as `config.save_pretrained` or `model.save_pretrained` leaves it.
# Seen: `AutoTokenizer.from_pretrained` raises nothing. BERT and RoBERTa get a tokenizer of five
# tokens, GPT-2 one of a single token, so that BERT reads every word as unknown, RoBERTa and GPT-2
# read nothing at all, and two texts give the same input. Who serves a folder has to look for the
# vocabulary's files, or compare the tokenizer's length with `vocab_size`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import tempfile

from transformers import AutoTokenizer, BertConfig, GPT2Config, RobertaConfig

TEXTS = ("the quick brown fox", "ships sail at dawn")
seen = {}
for config in (BertConfig(), RobertaConfig(), GPT2Config()):
    with tempfile.TemporaryDirectory() as empty:
        config.save_pretrained(empty)
        tokenizer = AutoTokenizer.from_pretrained(empty)
    first, second = (tokenizer(text)["input_ids"] for text in TEXTS)
    print(config.model_type, len(tokenizer), "of", config.vocab_size, "tokens:", first, second)
    assert first == second
    seen[config.model_type] = len(tokenizer)
assert seen == {"bert": 5, "roberta": 5, "gpt2": 1}, seen
PY
echo "as before: a tokenizer is made up where there is none"
