"""Words that say what a row is worth: a token, a ban, a payment, a diagnosis. The words are data, in on_delete.json."""

import json
from importlib.resources import files

from holdfastd.inference.naming.vocabulary import FINANCIAL_WORDS, HISTORY_WORDS, LABEL_WORDS, LOOKUP_WORDS

_ENTRIES: dict[str, dict[str, str]] = json.loads(files("holdfastd.inference.advice").joinpath("on_delete.json").read_text(encoding="utf-8"))


def _words(entry: str) -> frozenset[str]:
    return frozenset(_ENTRIES[entry]["words"].split())


#: Rows that let somebody in, and what they are issued for besides people.
CREDENTIALS = _words("credential")
GATES = _words("gate")
#: Rows that keep somebody out.
BANS = _words("ban")
#: Tables that keep the books, and those of money that changed hands.
BOOKS = FINANCIAL_WORDS | _words("trade")
MONEY_MOVED = _words("money_moved")
#: Columns that say a row is worth something.
WORTH = _words("money_column")
#: Lines of an order: how the name begins, how it ends, and what they sell.
ORDERS = _words("order")
LINES = _words("trade_line")
GOODS = _words("goods")
#: What was seen or done to somebody.
CLINICAL = _words("clinical")
#: Tables that tell what happened, or keep what was.
RECORDS = HISTORY_WORDS | BOOKS | CLINICAL | _words("copy")
#: Tables of reference data, and the columns of a list of codes.
LISTED = LOOKUP_WORDS | _words("described")
CODE_LABELS = LABEL_WORDS | _words("code_label")
