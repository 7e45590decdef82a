"""The messages of KEDA's external scaler. Numbers and names are KEDA's (https://keda.sh)."""

from __future__ import annotations

from ....tasks.oip_grpc.table import message_classes

PACKAGE = "externalscaler"
SERVICE = f"{PACKAGE}.ExternalScaler"

MESSAGES = message_classes(
    "wherry/keda_externalscaler.proto",
    PACKAGE,
    {
        "ScaledObjectRef": "name=1 string, namespace=2 string, scalerMetadata=3 map string",
        "IsActiveResponse": "result=1 bool",
        "MetricSpec": "metricName=1 string, targetSize=2 int64, targetSizeFloat=3 double",
        "GetMetricSpecResponse": "metricSpecs=1 repeated MetricSpec",
        "GetMetricsRequest": "scaledObjectRef=1 ScaledObjectRef, metricName=2 string",
        "MetricValue": "metricName=1 string, metricValue=2 int64, metricValueFloat=3 double",
        "GetMetricsResponse": "metricValues=1 repeated MetricValue",
    },
    {},
)
