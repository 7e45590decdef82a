"""The messages of OIP v2's gRPC form, made from a table instead of generated code.

Numbers and names are the protocol's (https://github.com/kserve/open-inference-protocol), with the
repository, statistics and stream calls of Triton's extensions. They live in a pool of their own, so
that another library's copy of the same messages does no harm in one process.
"""

from __future__ import annotations

from .config_messages import CONFIG_MESSAGES, ENUMS, STATE_MESSAGES
from .table import message_classes

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

_TENSOR_METADATA = "name=1 string, datatype=2 string, shape=3 repeated int64"
_TENSOR = (
    "name=1 string, datatype=2 string, shape=3 repeated int64, parameters=4 map InferParameter"
    ", contents=5 InferTensorContents"
)
_MODEL = "name=1 string, version=2 string"
_REPOSITORY = (
    "repository_name=1 string, model_name=2 string, parameters=3 map ModelRepositoryParameter"
)

#: Message -> its fields, as table.py reads them.
_MESSAGES = {
    **CONFIG_MESSAGES,
    **STATE_MESSAGES,
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live=1 bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready=1 bool",
    "ModelReadyRequest": _MODEL,
    "ModelReadyResponse": "ready=1 bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name=1 string, version=2 string, extensions=3 repeated string",
    "ModelMetadataRequest": _MODEL,
    "ModelMetadataResponse": (
        "name=1 string, versions=2 repeated string, platform=3 string"
        ", inputs=4 repeated ModelMetadataResponse.TensorMetadata"
        ", outputs=5 repeated ModelMetadataResponse.TensorMetadata"
    ),
    "ModelMetadataResponse.TensorMetadata": _TENSOR_METADATA,
    "ModelInferRequest": (
        "model_name=1 string, model_version=2 string, id=3 string"
        ", parameters=4 map InferParameter"
        ", inputs=5 repeated ModelInferRequest.InferInputTensor"
        ", outputs=6 repeated ModelInferRequest.InferRequestedOutputTensor"
        ", raw_input_contents=7 repeated bytes"
    ),
    "ModelInferRequest.InferInputTensor": _TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": (
        "name=1 string, parameters=2 map InferParameter"
    ),
    "ModelInferResponse": (
        "model_name=1 string, model_version=2 string, id=3 string"
        ", parameters=4 map InferParameter"
        ", outputs=5 repeated ModelInferResponse.InferOutputTensor"
        ", raw_output_contents=6 repeated bytes"
    ),
    "ModelInferResponse.InferOutputTensor": _TENSOR,
    "ModelStreamInferResponse": "error_message=1 string, infer_response=2 ModelInferResponse",
    "InferParameter": (
        "bool_param=1 oneof bool, int64_param=2 oneof int64, string_param=3 oneof string"
        ", double_param=4 oneof double, uint64_param=5 oneof uint64"
    ),
    "InferTensorContents": (
        "bool_contents=1 repeated bool, int_contents=2 repeated int32"
        ", int64_contents=3 repeated int64, uint_contents=4 repeated uint32"
        ", uint64_contents=5 repeated uint64, fp32_contents=6 repeated float"
        ", fp64_contents=7 repeated double, bytes_contents=8 repeated bytes"
    ),
    "ModelRepositoryParameter": (
        "bool_param=1 oneof bool, int64_param=2 oneof int64, string_param=3 oneof string"
        ", bytes_param=4 oneof bytes"
    ),
    "ModelStatisticsRequest": _MODEL,
    "StatisticDuration": "count=1 uint64, ns=2 uint64",
    "InferStatistics": ", ".join(
        f"{name}={number} StatisticDuration"
        for number, name in enumerate(
            (
                *("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"),
                *("cache_hit", "cache_miss"),
            ),
            start=1,
        )
    ),
    "InferResponseStatistics": ", ".join(
        f"{name}={number} StatisticDuration"
        for number, name in enumerate(
            ("compute_infer", "compute_output", "success", "fail", "empty_response", "cancel"),
            start=1,
        )
    ),
    "InferBatchStatistics": (
        "batch_size=1 uint64, compute_input=2 StatisticDuration"
        ", compute_infer=3 StatisticDuration, compute_output=4 StatisticDuration"
    ),
    "MemoryUsage": "type=1 string, id=2 int64, byte_size=3 uint64",
    "ModelStatistics": (
        "name=1 string, version=2 string, last_inference=3 uint64, inference_count=4 uint64"
        ", execution_count=5 uint64, inference_stats=6 InferStatistics"
        ", batch_stats=7 repeated InferBatchStatistics, memory_usage=8 repeated MemoryUsage"
        ", response_stats=9 map InferResponseStatistics"
    ),
    "ModelStatisticsResponse": "model_stats=1 repeated ModelStatistics",
    "RepositoryIndexRequest": "repository_name=1 string, ready=2 bool",
    "RepositoryIndexResponse": "models=1 repeated RepositoryIndexResponse.ModelIndex",
    "RepositoryIndexResponse.ModelIndex": (
        "name=1 string, version=2 string, state=3 string, reason=4 string"
    ),
    "RepositoryModelLoadRequest": _REPOSITORY,
    "RepositoryModelLoadResponse": "",
    "RepositoryModelUnloadRequest": _REPOSITORY,
    "RepositoryModelUnloadResponse": "",
}

MESSAGES = message_classes("wherry/open_inference_grpc.proto", PACKAGE, _MESSAGES, ENUMS)
