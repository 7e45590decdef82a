"""llama.cpp's server, out of a wheel: `MODEL PORT` serves a GGUF file as `tiny`."""

# mypy: ignore-errors
# What it imports is in its own environment.

from __future__ import annotations

import sys
import threading

import xllamacpp

asked = xllamacpp.CommonParams()
asked.model.path, asked.port = sys.argv[1], int(sys.argv[2])
asked.hostnames, asked.model_alias = ["127.0.0.1"], ["tiny"]
asked.n_ctx, asked.n_parallel, asked.n_gpu_layers = 2048, 2, 0
asked.use_jinja, asked.warmup = True, False
# Its threads spin while they wait for each other: with others at work one is the fastest.
asked.cpuparams.n_threads = asked.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(asked)
threading.Event().wait()
