"""The console: pages that speak the public HTTP surface, served as files.

The files are ES modules as they stand in the repository, and two libraries that `make console`
puts beside them. Nothing here reads a job or a model.
"""
