"""HTTP as every surface has it: what lets a request in, bodies, media, ids, errors, the API page.

May import egress and access. Knows no job and no model: what is done with a request is in core.
"""
