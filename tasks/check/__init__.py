"""Checks: whether a declared model can be served, before its weights are read.

May import the backends' table and read their files as text. Imports no model runtime, so that it
takes a second and costs its process no memory.
"""

from .fault import Fault
from .memory import weigh
from .model import check_model
from .own_backend import with_own_backend

__all__ = ["Fault", "check_model", "weigh", "with_own_backend"]
