"""All routes of the API, and whose form of errors their clients read."""

from __future__ import annotations

from .console import extensions as console_extensions
from .console import routes as console_routes
from .http import page
from .surfaces.huggingface import routes as huggingface_routes
from .surfaces.instill import routes as instill_routes
from .surfaces.label_studio import routes as label_studio_routes
from .surfaces.openai import routes as openai_routes
from .surfaces.openai.batches import routes as batches_routes
from .surfaces.openai.requests import error_shape as openai_shape
from .surfaces.pixano import routes as pixano_routes
from .surfaces.pixano.errors import error_of as pixano_shape
from .surfaces.retrieval import rerank_routes, tei_routes
from .surfaces.retrieval import routes as retrieval_routes
from .v2 import dead as dead_routes
from .v2 import events as events_routes
from .v2 import forget as forget_routes
from .v2 import formats as formats_routes
from .v2 import generate as generate_routes
from .v2 import history as history_routes
from .v2 import infer as infer_routes
from .v2 import job_list as job_list_routes
from .v2 import jobs as jobs_routes
from .v2 import keys as keys_routes
from .v2 import many_jobs as many_jobs_routes
from .v2 import metrics as metrics_routes
from .v2 import models as models_routes
from .v2 import run_events as run_events_routes
from .v2 import run_output as run_output_routes
from .v2 import run_quality as run_quality_routes
from .v2 import run_rows as run_rows_routes
from .v2 import runs as runs_routes
from .v2 import scaling as scaling_routes
from .v2 import server as server_routes
from .v2 import tasks as tasks_routes
from .v2 import triton as triton_routes
from .v2 import uploads as uploads_routes
from .v2 import webhooks as webhooks_routes
from .v2 import workers as workers_routes

#: In the order in which paths are tried: what is asked most comes first.
ROUTES = (
    infer_routes,
    jobs_routes,
    job_list_routes,
    events_routes,
    many_jobs_routes,
    forget_routes,
    generate_routes,
    models_routes,
    tasks_routes,
    server_routes,
    triton_routes,
    history_routes,
    metrics_routes,
    scaling_routes,
    dead_routes,
    workers_routes,
    *openai_routes.ROOMS,
    *retrieval_routes.ROOMS,
    instill_routes,
    label_studio_routes,
    pixano_routes,
    huggingface_routes,
    batches_routes,
    runs_routes,
    run_events_routes,
    run_rows_routes,
    run_quality_routes,
    run_output_routes,
    uploads_routes,
    formats_routes,
    webhooks_routes,
    keys_routes,
    console_extensions,  # before the path that takes all others
    console_routes,
    page,
)


_RERANK = ("/v1/rerank", "/v2/rerank", "/rerank", "/infinity/rerank")

#: Whose errors a path's clients read, by how it begins; others read ours.
ERROR_SHAPES = (
    *((path, rerank_routes.error_shape) for path in _RERANK),
    *((path, tei_routes.error_shape) for path in ("/embed", "/predict", "/similarity", "/info")),
    ("/v1/", openai_shape),
    ("/v1alpha/", instill_routes.error_shape),
    ("/pixano/v1/", pixano_shape),
    ("/models/", huggingface_routes.error_shape),
)
