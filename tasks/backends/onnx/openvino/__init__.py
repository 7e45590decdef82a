"""Graphs on OpenVINO: what ONNX Runtime serves by a dialect, on the runtime that is faster on many
CPUs. ONNX Runtime answers nothing here.
"""
