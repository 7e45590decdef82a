"""The ASGI application: `uvicorn --factory wherry.api.app:create_app`."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..jobs import AsyncQueue, JobsSettings, collector
from ..jobs.async_queue import Replicas
from ..jobs.fleet_queue import on_each, open_async
from ..jobs.measured_store import MeasuredStore
from ..jobs.orphans import redis_name
from ..jobs.settings import from_environment
from ..jobs.stores import open_store
from ..tasks.catalog import Catalog
from ..tasks.models_file import load_catalog
from ..telemetry import logs, traces
from ..telemetry.metrics_settings import MetricsSettings
from ..telemetry.settings import TelemetrySettings
from .access.book import KeyBook, KeyFileError, read_keys
from .celery.runner import CeleryRunner
from .core.demand import DemandLooks
from .core.fleet_store import FleetStore, Presence
from .core.intake import Intake
from .core.live_models import LiveModels
from .core.metrics import Metrics
from .core.service import Service
from .core.submitter import Submitter
from .core.waiters import Waiters
from .egress.outbound import Outbound
from .http import errors
from .http.access_guard import AccessGuard
from .http.cors import with_cors
from .http.draining import draining
from .http.entry import Door
from .http.fast_route import ShortWay
from .routes import ERROR_SHAPES, ROUTES
from .settings import ApiSettings, origins_of
from .surfaces.openai.batches.runner import Runner
from .webhooks.deliver import Deliverer

#: FastAPI 0.165 and later trace what comes to them, which is not all; older ones take no notice.
_NO_SPANS: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


async def _check_apart(queue: AsyncQueue, jobs: JobsSettings) -> None:
    """Raise where a family's own Redis is home, or another's, by another name: all would count
    double. One that is away is not looked at.
    """
    if not jobs.own_redis:
        return
    answers = await on_each(queue, lambda one: one.run(redis_name(jobs)))
    names = [answer for answer in answers if isinstance(answer, str)]
    if len(set(names)) < len(names):
        await queue.close()
        raise RuntimeError(
            "WHERRY_FAMILY_REDIS names one Redis twice, or that of WHERRY_REDIS_URL: give families"
            " that share one the same URL, and leave out those that stay at home"
        )


def _heed_sighup(live: LiveModels) -> None:
    """Have the fleet read models.toml again at a SIGHUP, which would end the process."""
    if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, live.ask)


@asynccontextmanager
async def _grpc(service: Service, keys: KeyBook) -> AsyncIterator[None]:
    """The gRPC server, where a port is set."""
    port = service.settings.grpc_port
    if not port:
        yield
        return
    try:
        from .surfaces.oip_grpc import server
    except ImportError as error:  # an extra that most do without
        raise RuntimeError(
            f"WHERRY_GRPC_PORT is {port}, but gRPC is not installed: pip install 'wherry[grpc]'"
        ) from error
    listening = await server.start(service, port, keys)
    yield
    await server.stop(listening)


class _Api(FastAPI):
    """FastAPI behind our door, with the short way to the plain routes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in by the door, which stands before the server's own error page too."""
        scope["app"] = self
        await (self._door if traces.tracer() is None else self._traced)(scope, receive, send)

    @functools.cached_property
    def _traced(self) -> ASGIApp:
        from .http.request_span import TracedRequests

        tracer = traces.tracer()
        return self._door if tracer is None else TracedRequests(self._door, tracer)

    @functools.cached_property
    def _door(self) -> ASGIApp:
        routes = [route for room in ROUTES for route in room.router.routes]
        inner = AccessGuard(ShortWay(super().__call__, routes, errors.answer), ERROR_SHAPES)
        # Browsers ask for leave without a key.
        return Door(with_cors(inner, self.state.cors_origins))


def _usable(
    settings: ApiSettings | None, jobs: JobsSettings | None
) -> tuple[ApiSettings, JobsSettings, FleetStore, Catalog, Outbound]:
    """The settings and what is made of them. Ends the process where they cannot be used."""
    try:
        telling = from_environment(TelemetrySettings)
        logs.start(telling)
        traces.start("wherry-api", telling, version=__version__, instance=logs.this_process())
        settings = settings or from_environment(ApiSettings)
        jobs = jobs or from_environment(JobsSettings)
        if settings.api_keys is not None:
            read_keys(settings.api_keys)
        catalog = load_catalog(settings.models, families=())
        return (
            settings,
            jobs,
            FleetStore(MeasuredStore(open_store(jobs))),
            catalog,
            Outbound(settings, jobs),
        )
    except (KeyFileError, ValueError) as error:
        sys.stderr.writelines(f"error: {line}\n" for line in str(error).splitlines())
        raise SystemExit(os.EX_CONFIG) from None


def create_app(settings: ApiSettings | None = None, jobs: JobsSettings | None = None) -> FastAPI:
    """Build the application. Settings come from the environment when not given.

    Ends the process, with a line for each fault, where they cannot be used: as workers do.
    """
    settings, jobs, store, catalog, outbound = _usable(settings, jobs)
    draining.delay_s = settings.drain_delay_s

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        queue = open_async(jobs, Replicas(jobs.min_replicas, jobs.min_replicas_timeout_s))
        await _check_apart(queue, jobs)
        presence = Presence(queue, store, catalog, jobs)
        live = LiveModels(
            settings.models,
            catalog,
            queue,
            jobs,
            tell=presence.look,
            poll_s=settings.models_poll_s,
        )
        waiters = Waiters(queue, jobs)
        deliverers = [Deliverer(one, jobs, settings, outbound.hooks) for one in queue.parts]
        keys = KeyBook(settings.api_keys, queue, jobs, required=settings.require_api_keys)
        app.state.keys = keys
        await keys.start()
        app.state.service = Service(
            settings,
            jobs,
            catalog,
            queue,
            store,
            Intake(
                catalog,
                settings,
                outbound,
                live.mixes,
                lambda: presence.wants_earlier_hash,
                live.task,
                live.unheeded,
            ),
            Submitter(queue, store, jobs, outbound, presence),
            waiters,
            live,
            DemandLooks(queue, jobs),
        )
        app.state.metrics = shown = Metrics(app.state.service, from_environment(MetricsSettings))
        app.state.batches = batches = Runner(app)
        celery = CeleryRunner(app.state.service, keys)
        await presence.begin()
        presence.start()
        await live.start()
        waiters.start()
        batches.start()
        celery.start()
        await shown.start()
        if outbound.calls and settings.webhooks_at_once:
            for deliverer in deliverers:
                deliverer.start()
        try:
            async with _grpc(app.state.service, keys):
                collector.calm()
                _heed_sighup(live)
                yield
        finally:  # be it that it could not listen
            await shown.stop()
            await celery.stop()
            await batches.stop()
            for deliverer in deliverers:
                await deliverer.stop()
            await waiters.stop()
            await live.stop()
            await presence.stop()
            await keys.stop()
            await outbound.close()
            await queue.close()
            await asyncio.to_thread(traces.stop)

    app = _Api(
        title="Wherry",
        version=__version__,
        description="A queue-based asynchronous inference fleet.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_SPANS,
    )
    app.state.cors_origins = origins_of(settings.cors_origins)
    for routes in ROUTES:
        app.include_router(routes.router)
    errors.install(app, ERROR_SHAPES)
    return app
