"""Names that a database may hold, each hostile to something that prints or writes it."""

HOSTILE_NAMES = (
    "two\nlines",
    "\x1b[2Jcleared\x07",
    "'quoted' \"twice\" `ticked`",
    "<script>alert(1)</script>",
    "*/ -- # : - ? & ! | > % @",
    "${x} #{y} {{z}} [bold]m[/bold]",
    "\u202eright to left\u2066",
    "😀 \U00020000 ﷽",
    "\x85\u2028\u2029\ufeff",
    "null",
    "x" * 63,
    "é" * 31,
)
