"""Outputs behind URLs that lie in their source, or around it."""

from __future__ import annotations

import pytest

from wherry.client.annotate.sources.url_overlap import refuse_url_overlap
from wherry.protocol.errors import InvalidRequest


@pytest.mark.parametrize(
    ("source", "out", "is_folder", "told"),
    [
        ("s3://b/photos", "s3://b/photos/labels.jsonl", False, "lies in the source"),
        ("s3://b/photos/", "s3://b/photos/deep/labels", True, "lies in the source"),
        ("s3://b", "s3://b/labels.jsonl", False, "lies in the source"),
        ("s3://b/photos", "s3://b/photos", True, "is the source"),
        ("@s3://b/list.txt", "s3://b/list.txt", False, "is the source"),
        ("s3://b/a/photos", "s3://b/a", True, "is a folder around the source"),
        ("s3://b/a.zip/train", "s3://b/a.zip", False, "is a folder around the source"),
        ("s3://b/a/*.csv", "s3://b/a", True, "is a folder around the source"),
        ("s3://b/a/*.csv", "s3://b/a/out.csv", False, "would be found by the source"),
        ("s3://b/a/**/*.csv", "s3://b/a/x/y/out.csv", False, "would be found by the source"),
        ("s3://b/a/*/x.csv", "s3://b/a/out", True, "would be found by the source"),
        ("s3://b/{a,c}", "s3://b/c/out.csv", False, "lies in the source"),
        ("S3A://b/photos", "s3://b/photos/out.csv", False, "lies in the source"),
        ("s3://b/saved#train", "s3://b/saved/out.csv", False, "lies in the source"),
        ("gcs://b/photos", "gs://b/photos/out.csv", False, "lies in the source"),
        ("s3://b/out.csv.errors.jsonl", "s3://b/out.csv", False, "is written beside"),
    ],
)
def test_one_that_overlaps_is_refused(source, out, is_folder, told) -> None:
    besides = [f"{out}.errors.jsonl"]
    with pytest.raises(InvalidRequest, match=told):
        refuse_url_overlap(source, out, besides, is_folder=is_folder)


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("s3://b/photos", "s3://b/photos.csv"),
        ("s3://b/photos", "s3://b/labels/out.csv"),
        ("s3://b/photos", "s3://other/photos/out.csv"),
        ("s3://b/photos", "gs://b/photos/out.csv"),
        ("s3://b/a/*.csv", "s3://b/a/out.jsonl"),
        ("s3://b/rows.csv", "s3://b/out.csv"),
        ("/data/photos", "s3://b/photos/out.csv"),
        ("upload:x", "s3://b/out.csv"),
    ],
)
def test_one_elsewhere_is_not(source: str, out: str) -> None:
    refuse_url_overlap(source, out, [f"{out}.report.json"], is_folder=False)
