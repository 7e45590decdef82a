#!/usr/bin/env bash
# tritony 0.0.23: its timeout in seconds goes out as Triton's parameter `timeout`, which is microseconds.
#
# TRITON_CLIENT_TIMEOUT, 30 unless set, is what the call may take in seconds; over gRPC the same
# number is the request's `timeout`, of which Triton's schedule policy says "in microseconds". Triton
# heeds it where a model's queue policy allows an override: there, requests time out at once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tritony==0.0.23 'tritonclient[grpc,http]==2.73.0'
cat >"$folder/asked.py" <<'PY'
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc
from tritony import InferenceClient

seen = []


class Server(service_pb2_grpc.GRPCInferenceServiceServicer):
    def ServerLive(self, request, context):
        return pb.ServerLiveResponse(live=True)

    def ServerReady(self, request, context):
        return pb.ServerReadyResponse(ready=True)

    def ModelReady(self, request, context):
        return pb.ModelReadyResponse(ready=True)

    def ModelConfig(self, request, context):
        config = {
            "max_batch_size": 8,
            "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [1]}],
            "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [1]}],
        }
        return pb.ModelConfigResponse(config=config)

    def ModelInfer(self, request, context):
        seen.append(request.parameters["timeout"].int64_param)
        tensor = {"name": "y", "datatype": "FP32", "shape": [1, 1]}
        return pb.ModelInferResponse(outputs=[tensor], raw_output_contents=[bytes(4)])


server = grpc.server(ThreadPoolExecutor(2))
service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Server(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
client = InferenceClient.create_with("m", f"127.0.0.1:{port}", input_dims=2, protocol="grpc")
client(np.zeros((1, 1), np.float32))
server.stop(0)
print("timeout of the request, in microseconds:", seen)
assert seen == [30]
PY
"$folder/venv/bin/python" "$folder/asked.py"
echo "as before: seconds are sent as microseconds"
