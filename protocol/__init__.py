"""Protocol: OIP v2 as plain data: models, datatypes, the wire forms, job states, the error tree. May import pydantic. Knows no task, no queue, no HTTP."""
