"""KEDA as a scaler meets it: the client that protoc makes of its calls, and nothing of ours."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
from grpc_tools import protoc

PROTO = Path(__file__).parents[1] / "api" / "surfaces" / "keda" / "externalscaler.proto"


def generated(folder: Path) -> tuple[ModuleType, ModuleType]:
    """Messages and stubs; made once a process, for protobuf knows a file by its name."""
    if "externalscaler_pb2_grpc" not in sys.modules:
        arguments = [f"-I{PROTO.parent}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
        assert protoc.main(["protoc", *arguments, str(PROTO)]) == 0
        for name in ("externalscaler_pb2", "externalscaler_pb2_grpc"):
            spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    return sys.modules["externalscaler_pb2"], sys.modules["externalscaler_pb2_grpc"]


class Keda:
    """What KEDA asks of one ScaledObject's scaler."""

    def __init__(self, folder: Path, channel: grpc.Channel, **metadata: str) -> None:
        self._messages, stubs = generated(folder)
        self._stub = stubs.ExternalScalerStub(channel)
        self.ref = self._messages.ScaledObjectRef(
            name="wherry-vision", namespace="default", scalerMetadata=metadata
        )

    @property
    def active(self) -> bool:
        return bool(self._stub.IsActive(self.ref, timeout=10).result)

    def stream(self) -> Any:
        """What is pushed; cancel it at the end."""
        return self._stub.StreamIsActive(self.ref, timeout=60)

    @property
    def spec(self) -> tuple[str, float]:
        [spec] = self._stub.GetMetricSpec(self.ref, timeout=10).metricSpecs
        assert spec.targetSize == spec.targetSizeFloat
        return spec.metricName, spec.targetSizeFloat

    def value(self, name: str = "") -> float:
        """The metric, as KEDA reads it: by the name that it was given."""
        asked = self._messages.GetMetricsRequest(
            scaledObjectRef=self.ref, metricName=name or self.spec[0]
        )
        [found] = self._stub.GetMetrics(asked, timeout=10).metricValues
        assert found.metricName == self.spec[0]
        assert found.metricValue == found.metricValueFloat
        return float(found.metricValueFloat)

    def metric_stream(self) -> Any:
        """An optional call of newer versions."""
        return self._stub.StreamMetricSpec(self.ref, timeout=10)
