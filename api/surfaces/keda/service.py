"""The calls of externalscaler.ExternalScaler."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from ....protocol.errors import InvalidRequest
from ...access.book import KeyBook
from ...access.caller import Scope
from ...core.scaling import FamilyScaling, policy_of, scaling_of
from ...core.service import Service
from ...http.access_guard import token_of
from ..oip_grpc.errors import Context, guarded_within
from .messages import MESSAGES, SERVICE
from .metadata import Trigger, read_trigger

#: Seconds between two looks of an open stream. That work came is heard at once: a look finds that
#: none is left, or that a submission was made by a version that does not tell of it.
_LOOK_EVERY_S = 5.0


class ExternalScaler:
    """One method a call, named as KEDA names it."""

    def __init__(self, service: Service, keys: KeyBook) -> None:
        self._service, self._keys = service, keys
        self._ended = False

    def end(self) -> None:
        """Let the streams that are open end."""
        self._ended = True
        self._service.waiters.work.tell("")

    async def IsActive(self, body: bytes, context: Context) -> Any:  # noqa: N802 # the protocol's name
        """Whether the family wants any worker."""
        found = await self._scaling(self._trigger(_parsed("ScaledObjectRef", body), context))
        return MESSAGES["IsActiveResponse"](result=found.plan.workers > 0)

    async def StreamIsActive(self, body: bytes, context: Context) -> None:  # noqa: N802 # the protocol's name
        """Say whether the family wants any worker, now and whenever that changes."""
        trigger = self._trigger(_parsed("ScaledObjectRef", body), context)
        told: bool | None = None
        with self._service.waiters.work.watching(trigger.family) as watch:
            while not self._ended:
                active = (await self._scaling(trigger)).plan.workers > 0
                if active is not told:
                    await context.write(MESSAGES["IsActiveResponse"](result=active))
                    told = active
                await watch.heard(_LOOK_EVERY_S)

    async def GetMetricSpec(self, body: bytes, context: Context) -> Any:  # noqa: N802 # the protocol's name
        """The metric: wanted workers, of which each is to be one."""
        trigger = self._trigger(_parsed("ScaledObjectRef", body), context)
        message = MESSAGES["GetMetricSpecResponse"]()
        message.metricSpecs.add(
            metricName=_metric_name(trigger.family), targetSize=1, targetSizeFloat=1.0
        )
        return message

    async def GetMetrics(self, body: bytes, context: Context) -> Any:  # noqa: N802 # the protocol's name
        """How many workers the family wants."""
        asked = _parsed("GetMetricsRequest", body)
        trigger = self._trigger(asked.scaledObjectRef, context)
        name = _metric_name(trigger.family)
        if asked.metricName not in ("", name):
            raise InvalidRequest(f"metricName is {name!r}, not {asked.metricName[:100]!r}")
        wanted = (await self._scaling(trigger)).plan.workers
        message = MESSAGES["GetMetricsResponse"]()
        message.metricValues.add(
            metricName=name, metricValue=wanted, metricValueFloat=float(wanted)
        )
        return message

    def _trigger(self, ref: Any, context: Context) -> Trigger:
        """What a ScaledObject asks for. Raises InvalidRequest, Unauthorized, Forbidden."""
        policy = policy_of(self._service.settings)
        trigger = read_trigger(dict(ref.scalerMetadata), policy)
        key = token_of(context.invocation_metadata() or ()) or trigger.api_key
        self._keys.caller(key).require(Scope.ADMIN)  # it is told of all tenants' work
        return trigger

    async def _scaling(self, trigger: Trigger) -> FamilyScaling:
        return (await scaling_of(self._service, {trigger.family: trigger.policy}))[0]

    def handler(self) -> grpc.GenericRpcHandler:
        """The service as a server takes it. It reads messages itself: a bad one is the client's."""
        calls = (self.IsActive, self.GetMetricSpec, self.GetMetrics)
        handlers = {
            call.__name__: grpc.unary_unary_rpc_method_handler(
                guarded_within(call), response_serializer=_serialized
            )
            for call in calls
        }
        handlers["StreamIsActive"] = grpc.unary_stream_rpc_method_handler(
            guarded_within(self.StreamIsActive), response_serializer=_serialized
        )
        return grpc.method_handlers_generic_handler(SERVICE, handlers)


def _metric_name(family: str) -> str:
    return f"wherry-{family}-workers"


def _parsed(name: str, body: bytes) -> Any:
    try:
        return MESSAGES[name].FromString(body)
    except DecodeError as error:
        raise InvalidRequest(f"the message is no {SERVICE} {name}: {error}") from None


def _serialized(message: Any) -> bytes:
    written: bytes = message.SerializeToString()
    return written
