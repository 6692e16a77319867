"""The containers in which a view may come: one file for each kind.

``kind_of`` decides the kind once, when a view is checked. The kind then knows whatever
depends on the container: which numbers it holds, what its columns and rows are called,
and how rows are taken, summed into moments and projected. No other module asks in which
container a view comes.
"""

from skcrl._views._kinds import common_kind, kind_of
from skcrl._views._pairs import check_beside, check_paired, rows_with_both

__all__ = ["check_beside", "check_paired", "common_kind", "kind_of", "rows_with_both"]
