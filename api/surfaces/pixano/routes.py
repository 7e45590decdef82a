"""What Pixano's clients call, every generation of them: under `/pixano`, and `/pixano056` for
0.5.6, whose settings and polling differ. See docs/pixano.md.
"""

from fastapi import APIRouter

from ...http.fast_route import FastRoute
from . import inference_routes, server_routes, task_routes

router = APIRouter(route_class=FastRoute)

for _routes in (
    inference_routes.new,
    server_routes.new,
    inference_routes.old,
    task_routes.at_once,
    server_routes.settings,
    server_routes.shared,
):
    router.include_router(_routes, prefix="/pixano")
for _routes in (task_routes.polled, server_routes.settings056, server_routes.shared):
    router.include_router(_routes, prefix="/pixano056")
