"""Sources: data sets read row by row, in constant memory and always in the same order.

May import tasks and protocol. Knows no server, no format of answers.
"""

from .base import Columns, Source
from .choose import open_source
from .overlap import refuse_overlap

__all__ = ["Columns", "Source", "open_source", "refuse_overlap"]
