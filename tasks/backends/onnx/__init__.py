"""Backends over ONNX Runtime. A model folder holds model.onnx, config.json (id2label), and
preprocessor_config.json or tokenizer.json; transformers is not needed.
"""
