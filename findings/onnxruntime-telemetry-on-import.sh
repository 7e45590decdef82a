#!/usr/bin/env bash
# onnxruntime 1.31.1 makes an id of this machine and runs a thread when it is imported, on Linux.
#
# Its wheels have telemetry since 1.29, on by default. Seen: `import onnxruntime` writes
# `Microsoft/DeveloperTools/.onnxruntime/deviceid` under the cache folder and runs a thread; with
# ORT_DISABLE_TELEMETRY=1 in the environment before, neither. `0` and nothing leave it on; variables
# that CI services set turn it off, so that it is not seen there. Its Privacy.md is in the wheel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.31.1 numpy==2.4.6
offline=(unshare --user --net) # where that is allowed: this is to be looked at, not sent
"${offline[@]}" true 2>/dev/null || offline=()
seen() { # seen NAME [VARIABLE=VALUE]: threads after an import, and ids in a new home
  mkdir "$folder/$1"
  env -i PATH="$PATH" HOME="$folder/$1" OPENBLAS_NUM_THREADS=1 ${2:+"$2"} "${offline[@]}" \
    "$folder/venv/bin/python" -c "
import onnxruntime, os
print(len(os.listdir('/proc/self/task')))"
  find "$folder/$1" -name deviceid | wc -l
}
default=$(seen default | xargs) zero=$(seen zero ORT_DISABLE_TELEMETRY=0 | xargs)
one=$(seen one ORT_DISABLE_TELEMETRY=1 | xargs)
echo "threads and ids: $default by default, $zero with ORT_DISABLE_TELEMETRY=0, $one with 1"
[[ $default == "2 1" && $zero == "2 1" && $one == "1 0" ]]
echo "as before: an import makes an id and a thread unless told not to"
