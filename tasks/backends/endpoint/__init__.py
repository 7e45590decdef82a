"""Models that another server runs: rows go there, from the same queue as all others.

`backend.py` is what a worker sees of one. `protocols/` has a file a protocol: how rows are asked
and what the answers mean. `calls.py` makes the requests: as many at once as the server bears
(`window.py`), as fast as it is allowed (`rates.py`), again where the row is not at fault. All
requests of a process run on one event loop (`loop.py`) and leave through the guard of
`tasks/egress`.
"""
