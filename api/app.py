"""The ASGI application: `uvicorn --factory wherry.api.app:create_app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from .. import __version__
from ..jobs import AsyncQueue, JobsSettings
from ..jobs.stores import open_store
from ..tasks.catalog import load_catalog
from . import errors, jobs_routes, models_routes, page
from .intake import Intake
from .service import Service
from .settings import ApiSettings
from .waiters import Waiters

#: Bytes from which an answer is compressed for a client that asks; below it the work costs more.
_GZIP_MIN_BYTES = 8192


def create_app(settings: ApiSettings | None = None, jobs: JobsSettings | None = None) -> FastAPI:
    """Build the application. Settings come from the environment when not given."""
    settings, jobs = settings or ApiSettings(), jobs or JobsSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        queue, store = AsyncQueue(jobs.redis_url), open_store(jobs)
        catalog = load_catalog(settings.models)
        waiters = Waiters(queue, jobs)
        app.state.service = Service(
            settings,
            jobs,
            catalog,
            queue,
            store,
            Intake(catalog, queue, store, jobs, settings),
            waiters,
        )
        waiters.start()
        yield
        await waiters.stop()
        await queue.close()

    app = FastAPI(
        title="Wherry",
        version=__version__,
        description="A queue-based asynchronous inference fleet.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_MIN_BYTES)
    app.include_router(models_routes.router)
    app.include_router(jobs_routes.router)
    app.include_router(page.router)
    errors.install(app)
    return app
