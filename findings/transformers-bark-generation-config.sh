#!/usr/bin/env bash
# transformers 5.23.0 cannot save a BarkGenerationConfig.
#
# It never calls the constructor of its base, and lacks that one's attributes. Seen:
# `BarkGenerationConfig().save_pretrained(folder)`, and so `save_pretrained` of a BarkModel that was
# given one, raises AttributeError: 'BarkGenerationConfig' object has no attribute 'early_stopping'.
# A plain GenerationConfig with the same three dictionaries is saved, and read again by BarkModel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import tempfile

from transformers.models.bark.generation_configuration_bark import BarkGenerationConfig

with tempfile.TemporaryDirectory() as folder:
    try:
        BarkGenerationConfig().save_pretrained(folder)
    except AttributeError as error:
        said = str(error)
    else:
        raise SystemExit("it is saved now")
print(said)
assert "has no attribute" in said, said
PY
echo "as before: Bark's generation config cannot be saved"
