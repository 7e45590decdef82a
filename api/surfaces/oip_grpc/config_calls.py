"""Triton's calls about what a model is set to be, and about what is off here."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict

from ....tasks.oip_grpc.messages import MESSAGES
from ...core.model_config import config_of
from ...core.service import Service
from ...core.switched_off import check_region, log_settings, refuse_memory, trace_settings

#: Where a value of a log setting is, by its type.
_KINDS = {bool: "bool_param", int: "uint32_param", str: "string_param"}


class ConfigCalls:
    """One method a call, named as the protocol names it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def ModelConfig(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """How a model batches, what it takes and gives."""
        declared = self._service.catalog.get(asked.name, asked.version or None)
        told = {"config": config_of(self._service, declared)}
        return ParseDict(told, MESSAGES["ModelConfigResponse"](), ignore_unknown_fields=True)

    async def TraceSetting(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """That nothing is traced."""
        if asked.model_name:
            self._service.catalog.get(asked.model_name)
        wanted = {name: _one(list(setting.value)) for name, setting in asked.settings.items()}
        answer = MESSAGES["TraceSettingResponse"]()
        for name, value in trace_settings(wanted).items():
            answer.settings[name].value.extend([value] if isinstance(value, str) else value)
        return answer

    async def LogSettings(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """That there is no log of Triton's."""
        wanted = {name: _chosen(setting) for name, setting in asked.settings.items()}
        answer = MESSAGES["LogSettingsResponse"]()
        for name, value in log_settings(wanted).items():
            setattr(answer.settings[name], _KINDS[type(value)], value)
        return answer

    async def SystemSharedMemoryStatus(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """That no region is registered."""
        check_region(asked.name)
        return MESSAGES["SystemSharedMemoryStatusResponse"]()

    async def SystemSharedMemoryRegister(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Refuse it."""
        refuse_memory(asked.name)

    async def SystemSharedMemoryUnregister(self, _: Any) -> Any:  # noqa: N802 # the protocol's name
        """Nothing: a region that is not registered may be unregistered, as with Triton."""
        return MESSAGES["SystemSharedMemoryUnregisterResponse"]()

    async def CudaSharedMemoryStatus(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """That no region is registered."""
        check_region(asked.name)
        return MESSAGES["CudaSharedMemoryStatusResponse"]()

    async def CudaSharedMemoryRegister(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Refuse it."""
        refuse_memory(asked.name)

    async def CudaSharedMemoryUnregister(self, _: Any) -> Any:  # noqa: N802 # the protocol's name
        """Nothing: a region that is not registered may be unregistered, as with Triton."""
        return MESSAGES["CudaSharedMemoryUnregisterResponse"]()


def _one(values: list[str]) -> Any:
    """A setting of one value as that; of none or several, as a list."""
    return values[0] if len(values) == 1 else values


def _chosen(setting: Any) -> Any:
    kind = setting.WhichOneof("parameter_choice")
    return getattr(setting, kind) if kind else None
