"""Client: submit, wait, read, from Python or the shell, sync or async.

May import protocol, tasks (schemas), httpx, typer, rich. Knows no queue: only the HTTP surface.
"""

from .aio import AsyncClient
from .client import Client
from .jobs import JobView

__all__ = ["AsyncClient", "Client", "JobView"]
