"""Label Studio's ML backend: what its server calls for predictions, answered through the queue.

Calls and fields after label_studio/ml/{api_connector,models}.py of Label Studio 1.23.2; see
docs/label-studio.md.
"""
