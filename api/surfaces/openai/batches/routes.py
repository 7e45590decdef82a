"""Every route of files and batches."""

from __future__ import annotations

from fastapi import APIRouter

from . import batches_routes, files_routes

router = APIRouter()
for _room in (files_routes, batches_routes):
    router.include_router(_room.router)
