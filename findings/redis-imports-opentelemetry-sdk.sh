#!/usr/bin/env bash
# redis-py 8.1.0: `import redis` imports the metrics of OpenTelemetry's SDK where that is installed.
#
# Its observability is off until a program turns it on, but its modules import the SDK at the top, if
# it can be imported. Seen: some fifty modules more, and twice the time, in each process that so much as
# imports redis, for programs that have the SDK for traces alone, or trace nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
count='import redis, sys; print(sum(name.startswith("opentelemetry.sdk") for name in sys.modules))'
"$folder/venv/bin/pip" install --quiet redis==8.1.0
without=$("$folder/venv/bin/python" -c "$count")
"$folder/venv/bin/pip" install --quiet opentelemetry-sdk==1.45.2
with=$("$folder/venv/bin/python" -c "$count")
echo "modules of the SDK: $without, and with it installed $with"
[[ $without == 0 && $with -gt 20 ]]
echo "as before: it imports what nobody asked for"
