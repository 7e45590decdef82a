#!/usr/bin/env bash
# Celery 5.4.0: its extra `redis` installs a kombu and a redis-py that do not work together.
#
# `pip install 'celery[redis]==5.4.0'` takes the newest kombu (5.7.0), since Celery asks for
# kombu<6, and a redis-py below 6, since its extra says so. kombu 5.7.0 wants redis-py 6.1 or newer, and
# packaging, which nothing brings. Seen: no connection to Redis can be made. With kombu of its day
# (kombu==5.4.2) it works, and Celery 5.5.3 (kombu<5.6) and 5.7.0 do as they are.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'celery[redis]==5.4.0' packaging
cd "$folder"
cat >ask.py <<'PY'
from celery import Celery
from kombu.exceptions import VersionMismatch

app = Celery("user", broker="redis://127.0.0.1:1/0")
try:
    with app.connection_for_write() as connection:
        connection.default_channel
except VersionMismatch as error:
    print("VersionMismatch:", error)
PY
told=$(venv/bin/python ask.py 2>&1 | tail -n 1)
echo "$told"
[[ $told == VersionMismatch:*redis-py* ]]
echo "as before: the extra brings two that do not go together"
