"""Ops: the `wherry` command, the local stack, the demo, deployment files. May import any room."""
