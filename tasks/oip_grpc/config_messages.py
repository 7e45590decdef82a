"""Triton's messages of what a model is set to be, and of what is off here, as a table.

Numbers and names are those of its model_config.proto and grpc_service.proto, of a model's
configuration those that are told of it here. `messages.py` says how a field is written.
"""

from __future__ import annotations

#: Enum -> its names, by their numbers.
ENUMS = {
    "DataType": (
        "TYPE_INVALID",
        *(f"TYPE_{name}" for name in ("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8")),
        *(f"TYPE_{name}" for name in ("INT16", "INT32", "INT64", "FP16", "FP32", "FP64")),
        *("TYPE_STRING", "TYPE_BF16"),
    ),
    "ModelInput.Format": ("FORMAT_NONE", "FORMAT_NHWC", "FORMAT_NCHW"),
}

#: Messages of which only those fields are here that are told.
CONFIG_MESSAGES = {
    "ModelTensorReshape": "shape=1 repeated int64",
    "ModelInput": (
        "name=1 string, data_type=2 enum DataType, format=3 enum ModelInput.Format"
        ", dims=4 repeated int64, reshape=5 ModelTensorReshape, is_shape_tensor=6 bool"
        ", allow_ragged_batch=7 bool, optional=8 bool"
    ),
    "ModelOutput": (
        "name=1 string, data_type=2 enum DataType, dims=3 repeated int64, label_filename=4 string"
        ", reshape=5 ModelTensorReshape, is_shape_tensor=6 bool"
    ),
    "ModelVersionPolicy": "specific=3 oneof(policy_choice) ModelVersionPolicy.Specific",
    "ModelVersionPolicy.Specific": "versions=1 repeated int64",
    "ModelDynamicBatching": (
        "preferred_batch_size=1 repeated int32, max_queue_delay_microseconds=2 uint64"
        ", preserve_ordering=3 bool, priority_levels=4 uint64, default_priority_level=5 uint64"
    ),
    "ModelParameter": "string_value=1 string",
    "ModelTransactionPolicy": "decoupled=1 bool",
    "ModelConfig": (
        "name=1 string, platform=2 string, backend=17 string"
        ", version_policy=3 ModelVersionPolicy, max_batch_size=4 int32"
        ", input=5 repeated ModelInput, output=6 repeated ModelOutput"
        ", default_model_filename=8 string"
        ", dynamic_batching=11 oneof(scheduling_choice) ModelDynamicBatching"
        ", parameters=14 map ModelParameter"
        ", model_transaction_policy=19 ModelTransactionPolicy"
    ),
}

#: Messages with all of their fields.
STATE_MESSAGES = {
    "ModelConfigRequest": "name=1 string, version=2 string",
    "ModelConfigResponse": "config=1 ModelConfig",
    "TraceSettingRequest": ("settings=1 map TraceSettingRequest.SettingValue, model_name=2 string"),
    "TraceSettingRequest.SettingValue": "value=1 repeated string",
    "TraceSettingResponse": "settings=1 map TraceSettingResponse.SettingValue",
    "TraceSettingResponse.SettingValue": "value=1 repeated string",
    **{
        name: text
        for kind in ("LogSettingsRequest", "LogSettingsResponse")
        for name, text in (
            (kind, f"settings=1 map {kind}.SettingValue"),
            (
                f"{kind}.SettingValue",
                "bool_param=1 oneof bool, uint32_param=2 oneof uint32, string_param=3 oneof string",
            ),
        )
    },
    "SystemSharedMemoryStatusRequest": "name=1 string",
    "SystemSharedMemoryStatusResponse": (
        "regions=1 map SystemSharedMemoryStatusResponse.RegionStatus"
    ),
    "SystemSharedMemoryStatusResponse.RegionStatus": (
        "name=1 string, key=2 string, offset=3 uint64, byte_size=4 uint64"
    ),
    "SystemSharedMemoryRegisterRequest": (
        "name=1 string, key=2 string, offset=3 uint64, byte_size=4 uint64"
    ),
    "SystemSharedMemoryRegisterResponse": "",
    "SystemSharedMemoryUnregisterRequest": "name=1 string",
    "SystemSharedMemoryUnregisterResponse": "",
    "CudaSharedMemoryStatusRequest": "name=1 string",
    "CudaSharedMemoryStatusResponse": "regions=1 map CudaSharedMemoryStatusResponse.RegionStatus",
    "CudaSharedMemoryStatusResponse.RegionStatus": (
        "name=1 string, device_id=2 uint64, byte_size=3 uint64"
    ),
    "CudaSharedMemoryRegisterRequest": (
        "name=1 string, raw_handle=2 bytes, device_id=3 int64, byte_size=4 uint64"
    ),
    "CudaSharedMemoryRegisterResponse": "",
    "CudaSharedMemoryUnregisterRequest": "name=1 string",
    "CudaSharedMemoryUnregisterResponse": "",
}
