"""Open Inference Protocol v2 over gRPC: inference.GRPCInferenceService, beside the HTTP routes.

The same intake, queue and catalog; only the wire differs. Needs the extra `grpc`.
"""
