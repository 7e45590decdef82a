#!/usr/bin/env bash
# httpcore 1.0.9 looks for sniffio on disk at each lock that it makes, where it is not installed.
#
# `httpcore._synchronization.current_async_library` imports sniffio in a `try`, and a failed import is
# not remembered: each time the whole of sys.path is looked through. anyio 4.16 does not bring
# sniffio any more, so a fresh `pip install httpx` has none.
# Seen: several looks a request of `httpx.AsyncClient`, none once sniffio is installed; in an
# environment of many packages that is about half of the CPU time of a small request.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet httpx==0.28.1 httpcore==1.0.9 anyio==4.16.0
cat >"$folder/count.py" <<'PY'
import asyncio
import sys

import httpx

looks = 0


class Counting:
    @staticmethod
    def find_spec(name, path=None, target=None):
        global looks
        looks += name == "sniffio"


async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, httpx.AsyncClient() as client:
        await client.get(url)
        sys.meta_path.insert(0, Counting)
        for _ in range(100):
            await client.get(url)


asyncio.run(main())
print(looks)
PY
without=$("$folder/venv/bin/python" "$folder/count.py")
"$folder/venv/bin/pip" install --quiet sniffio==1.3.1
with=$("$folder/venv/bin/python" "$folder/count.py")
echo "looks for sniffio in 100 requests: $without without it, $with with it"
[ "$without" -ge 300 ] && [ "$with" = 0 ]
echo "as before: a failed import at each lock"
