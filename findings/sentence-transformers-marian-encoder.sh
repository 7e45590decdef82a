#!/usr/bin/env bash
# sentence-transformers 6.2.0 reads a whole Marian, M2M-100 or Pegasus folder with random weights.
#
# Of an encoder-decoder its Transformer module loads the encoder alone. Seen: T5's is the one of the
# folder; of Marian, M2M-100 and Pegasus two loads of one folder embed one text differently, and the
# load raises nothing. Who compares vectors with the library has to load a folder twice first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 sentence-transformers==6.2.0 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - 2>log.txt <<'PY' || { cat log.txt; exit 1; }
import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForSeq2SeqLM,
    M2M100Config,
    MarianConfig,
    PegasusConfig,
    PreTrainedTokenizerFast,
    T5Config,
)

torch.manual_seed(0)
words = {"[PAD]": 0, "[EOS]": 1, "[UNK]": 2, "a": 3, "boat": 4, "sails": 5}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
marks = {"pad_token": "[PAD]", "eos_token": "[EOS]", "unk_token": "[UNK]"}
shape = {"vocab_size": 6, "d_model": 16, "pad_token_id": 0, "eos_token_id": 1}
halves = {"encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
halves |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "init_std": 0.5}
halves |= {"decoder_start_token_id": 0, "max_position_embeddings": 32}
seen = {}
for config in (
    T5Config(**shape, d_kv=8, d_ff=16, num_layers=2, num_heads=2, decoder_start_token_id=0),
    MarianConfig(**shape, **halves),
    M2M100Config(**shape, **halves),
    PegasusConfig(**shape, **halves),
):
    path = config.model_type
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(path)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(path)

    def vector(path: str = path) -> np.ndarray:
        reader = modules.Transformer(path)
        parts = [reader, modules.Pooling(reader.get_embedding_dimension())]
        return SentenceTransformer(modules=parts, device="cpu").encode("a boat sails")

    seen[path] = float(np.abs(vector() - vector()).max())
print("two loads of one folder differ by", seen)
assert seen.pop("t5") == 0
assert all(moved > 1e-3 for moved in seen.values())
PY
echo "as before: the encoders of Marian, M2M-100 and Pegasus are random"
