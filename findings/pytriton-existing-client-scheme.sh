#!/usr/bin/env bash
# nvidia-pytriton 0.7.0: a client that is made from a gRPC one speaks HTTP.
#
# `ModelClient.from_existing_client` hands on the URL without its scheme, and a URL without one is
# HTTP's. `FuturesModelClient` makes its clients so once the first has the model's configuration:
# over grpc:// all but its first requests go to the gRPC port as HTTP, and fail.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nvidia-pytriton==0.7.0
cat >"$folder/made.py" <<'PY'
import warnings

from pytriton.client import ModelClient

warnings.simplefilter("ignore")
first = ModelClient("grpc://127.0.0.1:8001", "model", lazy_init=True)
again = ModelClient.from_existing_client(first)
print(f"the first speaks {first._triton_url.scheme}, its copy {again._triton_url.scheme}")
assert (first._triton_url.scheme, again._triton_url.scheme) == ("grpc", "http")
PY
"$folder/venv/bin/python" "$folder/made.py"
echo "as before: the scheme is lost"
