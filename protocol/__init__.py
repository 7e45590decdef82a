"""Protocol: OIP v2 as plain data: models, datatypes, wire forms, job states, the error tree.

May import pydantic and the standard library. Knows no task, no queue, no HTTP.
"""
