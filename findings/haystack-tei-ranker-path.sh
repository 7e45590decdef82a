#!/usr/bin/env bash
# huggingface-api-haystack 3.1.0: HuggingFaceTEIRanker drops the path of its `url`.
#
# A text-embeddings-inference server behind a gateway has a path of its own. The embedders of the
# same package keep it; the ranker joins its url with "/rerank" by urljoin, which begins at the
# root. Seen: url="http://host/models/judge" is asked at /rerank, not at /models/judge/rerank.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet huggingface-api-haystack==3.1.0 haystack-ai==3.4.1
cd "$folder"
venv/bin/python -W ignore - <<'PY'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from haystack import Document
from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

asked = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'[{"index": 0, "score": 0.5}]')

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
ranker = HuggingFaceTEIRanker(url=f"http://127.0.0.1:{server.server_port}/models/judge")
ranker.run(query="a", documents=[Document(content="b")])
server.shutdown()
print("asked at", asked)
assert asked == ["/rerank"]
PY
echo "as before: the path of the url is dropped"
