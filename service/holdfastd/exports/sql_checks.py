"""CHECK constraints as PostgreSQL prints them: `CHECK ((price > 0)) NOT VALID`, taken apart. Pure."""

import re

_CHECK = re.compile(r"CHECK \((?P<condition>.*)\)(?P<rest>(?: NO INHERIT| NOT VALID| NOT ENFORCED)*)\Z", re.DOTALL)


def condition_of(definition: str) -> str:
    """Return the condition."""
    match = _CHECK.match(definition)
    return match["condition"] if match else definition


def rest_of(definition: str) -> str:
    """Return what follows the condition; empty for nothing."""
    match = _CHECK.match(definition)
    return match["rest"].strip() if match else ""
