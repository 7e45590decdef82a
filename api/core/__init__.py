"""From a request to a job, and from its end to an answer: the same for every surface.

May import http, egress, access, jobs, tasks. Knows no surface's words: those read requests into a
task's input and write its output.
"""
