"""What a view may come as: one kind of container, one file.

``kind_of`` decides the kind once, at the door, and the kind answers whatever depends on
the container: which numbers it holds, what its columns and rows are called, how rows
are taken, summed into moments and projected. No other module asks what a view is.
"""

from skcrl._views._kinds import common_kind, kind_of
from skcrl._views._pairs import check_beside, check_paired, rows_with_both

__all__ = ["check_beside", "check_paired", "common_kind", "kind_of", "rows_with_both"]
