#!/usr/bin/env bash
# sentence-transformers 6.2.0 passes over WeightedLayerPooling in silence.
#
# The module means all of a transformer's layers by weights of its own. Seen: between Transformer and
# Pooling it changes nothing, and says nothing, unless the transformer's config has
# `output_hidden_states`. With that flag the vectors are others. Who
# reads such a folder by its modules.json alone answers otherwise than the library.
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
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

torch.manual_seed(0)
words = {"[PAD]": 0, "[UNK]": 1, "a": 2, "boat": 3, "sails": 4}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
).save_pretrained("plain")
shape = {"vocab_size": 5, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2}
BertModel(BertConfig(**shape, intermediate_size=8, initializer_range=0.5)).save_pretrained("plain")


def vector(weighted: bool, all_layers: bool) -> np.ndarray:
    reader = modules.Transformer("plain")
    reader.auto_model.config.output_hidden_states = all_layers
    size = reader.get_embedding_dimension()
    between = [modules.WeightedLayerPooling(size, num_hidden_layers=3, layer_start=1)]
    parts = [reader, *(between if weighted else []), modules.Pooling(size)]
    return SentenceTransformer(modules=parts, device="cpu").encode("a boat sails")


plain, silent, working = vector(False, False), vector(True, False), vector(True, True)
print("with the module alone it moves by", abs(plain - silent).max())
print("with output_hidden_states by", round(float(abs(plain - working).max()), 3))
assert np.array_equal(plain, silent)
assert abs(plain - working).max() > 0.01
PY
echo "as before: WeightedLayerPooling needs output_hidden_states, unsaid"
