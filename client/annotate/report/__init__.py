"""The page about a run: what it came to, and sampled rows with their answers drawn on them."""

from .page import write_report
from .sample import SAMPLED, Sample, Sampler, samples

__all__ = ["SAMPLED", "Sample", "Sampler", "samples", "write_report"]
