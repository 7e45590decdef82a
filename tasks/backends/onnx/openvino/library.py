"""The library, without its telemetry: importing it would send word of that to its maker, from a
process of its own, and write files into the home of whoever runs it.
"""

from __future__ import annotations

import sys

# Its own way to do without: it takes a stub where the package cannot be imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # Python's way to say so

import openvino  # noqa: E402 # not before

__all__ = ["openvino"]
