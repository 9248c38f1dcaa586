"""What the parts of a count cost, in microseconds a row. Measured, not derived; docs/performance.md says how. Pure data.

Only their ratios matter: they choose between counts that are all exact, so a wrong one costs time and nothing else.
"""

import json
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Microseconds, unless said otherwise."""

    #: Reading a row in sequence.
    scan: float
    #: Looking a row up in a hash table that stays in the processor's cache, or that does not, by integer and by other types.
    probe_small: float
    probe_integer: float
    probe_other: float
    #: Looking a row up in an index, in the index's order or in none.
    probe_in_order: float
    probe_index: float
    #: Putting a referenced row into a hash table.
    build: float
    #: Referenced rows up to which a hash table stays in the cache.
    small_rows: float
    #: Passing an entry of either index in a merge, and what it costs to visit a page that is not all-visible.
    merge: float
    merge_invisible: float
    #: Passing a key on a gap walk, passing it again where keys are missing, the same visit in key order, and looking into a gap.
    walk_key: float
    walk_inside: float
    walk_invisible: float
    walk_gap: float
    #: One step of a loose scan, probe included. Measured 6; set to 15, because statistics see less than half of the distinct values
    #: of a skewed column.
    step: float
    #: Turning a key into ranges, testing a row against them, and each halving of their search.
    range_key: float
    range_row: float
    range_halving: float
    #: Rows below which no choice is worth making.
    least_rows: float
    #: Share of all-visible pages from which an index-only scan deserves its name.
    well_visible: float


COEFFICIENTS = Coefficients(**json.loads(files("holdfastd.evidence.counting").joinpath("coefficients.json").read_text(encoding="utf-8")))
