#!/usr/bin/env bash
# pyiceberg 0.12.0: `to_arrow_batch_reader()` holds whole data files in memory, several at once.
#
# Its batches look like a stream, and its documentation names it for tables that do not fit into memory. Each file is
# read to its end before the first of its batches is given, by threads that are given all files at once
# (`ArrowScan.to_record_batches`). Seen: the first batch of a table of two files of 100 MB took 485 MB.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'pyiceberg[pyarrow,sql-sqlite]==0.12.0'
cd "$folder"
cat >write.py <<'PY'
import os

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

catalog = SqlCatalog("c", uri="sqlite:///catalog.db", warehouse=f"file://{os.getcwd()}")
catalog.create_namespace("n")
rows = pa.table({"text": [os.urandom(400).hex() for _ in range(125_000)]})
table = catalog.create_table("n.t", schema=rows.schema)
table.append(rows)
table.append(rows)
PY
cat >read.py <<'PY'
import os
import resource

from pyiceberg.catalog.sql import SqlCatalog


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


catalog = SqlCatalog("c", uri="sqlite:///catalog.db", warehouse=f"file://{os.getcwd()}")
scan = catalog.load_table("n.t").scan()
list(scan.plan_files())
before = peak_mb()
batch = next(iter(scan.to_arrow_batch_reader()))
print(peak_mb() - before, "MB for a batch of", batch.num_rows, "rows")
PY
venv/bin/python write.py
told=$(venv/bin/python read.py)
echo "$told"
[[ ${told%% *} -gt 150 ]]
echo "as before: whole files are in memory"
