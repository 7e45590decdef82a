"""Annotating data sets: sources in, formats out, nothing lost or done twice between."""

from .annotate import Summary, annotate
from .prepared import Options
from .rows import Annotation
from .run import Progress, TooManyErrors
from .sources import Columns

__all__ = ["Annotation", "Columns", "Options", "Progress", "Summary", "TooManyErrors", "annotate"]
