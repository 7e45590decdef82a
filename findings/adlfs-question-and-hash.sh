#!/usr/bin/env bash
# adlfs 2026.8.0 turns a blob's name round in which both ? and # stand, and so reads and writes another.
#
# Azure's names may have both. `_strip_protocol` takes the path apart as if it were a URL, and puts
# the query behind the fragment: of "box/a?b#c.png" it makes "box/a#c.png?b". It does so with
# paths that were stripped before, at each call.
# Seen: what is written as one name is listed under the other; the blob that another client has
# written under the first is "no such file".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet adlfs==2026.8.0 fsspec==2026.9.0
"$folder/venv/bin/python" - <<'PY'
from adlfs import AzureBlobFileSystem

for name in ("box/a.png", "box/a?b.png", "box/a#c.png", "box/a?b#c.png"):
    print(name, "->", AzureBlobFileSystem._strip_protocol(name))
    assert (AzureBlobFileSystem._strip_protocol(name) == name) is (name != "box/a?b#c.png")
assert AzureBlobFileSystem._strip_protocol("box/a?b#c.png") == "box/a#c.png?b"
PY
echo "as before: ? and # change places"
