"""KEDA's external scaler, on the gRPC port: workers come and go by what is predicted.

Metadata of a ScaledObject in, activity and wanted workers out. Knows no HTTP.
"""
