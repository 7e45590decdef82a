"""What tasks do with a model that reads text, whichever runtime it is on.

May import tasks. A reading asks its Reader; it knows no torch, no onnxruntime and no device.
"""
