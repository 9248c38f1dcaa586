"""Which comparisons may be done another way than by the key's own operator, because both ways always agree. Pure.

Only built-in types are on the lists: an extension's type may call things equal that its operators in another family tell apart.
"""

from holdfastd.evidence.counting.model import Subject

_INTEGERS = frozenset({"int2", "int4", "int8"})
#: Types by which order they share: equal in that order means equal to the key, too.
_ORDERS = (
    _INTEGERS,
    frozenset({"text", "varchar"}),
    frozenset({"numeric"}),
    frozenset({"bpchar"}),
    frozenset({"uuid"}),
    frozenset({"date"}),
    frozenset({"timestamp"}),
    frozenset({"timestamptz"}),
)


def are_integers(subject: Subject) -> bool:
    """Tell whether integers are compared as integers, so that order and gaps mean what they mean in mathematics."""
    return _shares(subject, _INTEGERS)


def share_an_order(subject: Subject) -> bool:
    """Tell whether indexes of both columns hold their values in one order, which the key's operator belongs to."""
    collations_agree = subject.column.collation == subject.key.collation
    return collations_agree and any(_shares(subject, order) for order in _ORDERS)


def has_values_of_one_fate(subject: Subject) -> bool:
    """Tell whether rows that the referencing column's own equality calls equal are orphans together, whatever the key's operator."""
    base = (subject.column.type.base_schema, subject.column.type.base_name)
    return base in {("pg_catalog", name) for order in _ORDERS for name in order} and subject.column.is_deterministic


def _shares(subject: Subject, order: frozenset[str]) -> bool:
    operator = subject.operators[0]
    types = {
        (subject.column.type.base_schema, subject.column.type.base_name),
        (subject.key.type.base_schema, subject.key.type.base_name),
        operator.left,
        operator.right,
    }
    is_own = (operator.schema, operator.name) == ("pg_catalog", "=")
    return subject.is_plain and is_own and types <= {("pg_catalog", name) for name in order}
