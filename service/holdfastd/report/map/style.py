"""How the map looks: colours for light and dark, lines by state and by heat. All of it lies under `.holdfast-map`, for any page.

Colours on their ground have a contrast of at least 4.5 (text) and 3 (lines). State is told by pattern
and heat by width, both by colour as well.
"""

_LIGHT = {
    "ground": "#f8fafc",
    "card": "#ffffff",
    "head": "#eef2f7",
    "border": "#cbd5e1",
    "text": "#0f172a",
    "muted": "#56637a",
    "accent": "#1d4ed8",
    "kept": "#475569",
    "open": "#6d28d9",
    "off": "#0f766e",
    "review": "#64748b",
    "heat-1": "#a16207",
    "heat-2": "#c2410c",
    "heat-3": "#dc2626",
    "heat-4": "#991b1b",
    "on-heat": "#ffffff",
}
_DARK = {
    "ground": "#0b1220",
    "card": "#151f31",
    "head": "#1d2a40",
    "border": "#3a4a63",
    "text": "#e8eef7",
    "muted": "#9fb0c8",
    "accent": "#7cb0ff",
    "kept": "#a3b3ca",
    "open": "#c4a7ff",
    "off": "#5ad1c2",
    "review": "#93a3bb",
    "heat-1": "#eab308",
    "heat-2": "#fb923c",
    "heat-3": "#f87171",
    "heat-4": "#ff5c5c",
    "on-heat": "#1a0b0b",
}
#: State -> colour and pattern of its lines.
_STATES = {
    "validated": ("kept", "none"),
    "not-validated": ("off", "14 5"),
    "not-enforced": ("off", "14 4 2 4"),
    "undeclared": ("open", "7 4"),
    "review": ("review", "1.5 4"),
}
_WIDTHS = {0: 1.5, 1: 2.0, 2: 2.6, 3: 3.3, 4: 4.2}

_RULES = """
.holdfast-map{background:var(--hf-ground);color:var(--hf-text);\
font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",Arial,sans-serif}
.holdfast-map text{fill:var(--hf-text)}
.holdfast-map .box{fill:var(--hf-card);stroke:var(--hf-border)}
.holdfast-map .head{fill:var(--hf-head)}
.holdfast-map .name{font-size:13px;font-weight:650}
.holdfast-map .row{font-size:11px}
.holdfast-map .small{font-size:10px}
.holdfast-map .muted{fill:var(--hf-muted)}
.holdfast-map .end{text-anchor:end}
.holdfast-map .middle{text-anchor:middle}
.holdfast-map .key{fill:none;stroke:var(--hf-muted);stroke-width:1.3}
.holdfast-map .sign{font-size:10px;font-weight:650;fill:var(--hf-on-heat);text-anchor:middle}
.holdfast-map .unknown .sign{fill:var(--hf-card)}
.holdfast-map .pill{fill:var(--hf-line);stroke:none}
.holdfast-map .way{fill:none;stroke:var(--hf-line);stroke-linejoin:round}
.holdfast-map .touch{fill:none;stroke:transparent;stroke-width:12px;pointer-events:stroke}
.holdfast-map .tip{fill:var(--hf-line)}
.holdfast-map .dot{fill:var(--hf-line);stroke:var(--hf-line);stroke-width:1.6}
.holdfast-map .nullable .dot{fill:var(--hf-card)}
.holdfast-map .relationship,.holdfast-map .table{cursor:pointer;outline:none}
.holdfast-map .table:hover .box,.holdfast-map .table:focus-visible .box,.holdfast-map .table.selected .box{\
stroke:var(--hf-accent);stroke-width:2.5}
.holdfast-map .relationship:hover,.holdfast-map .relationship:focus-visible,.holdfast-map .relationship.selected{--hf-line:var(--hf-accent)}
.holdfast-map .relationship:hover .way,.holdfast-map .relationship:focus-visible .way,.holdfast-map .relationship.selected .way{\
stroke-width:3.5px}
.holdfast-map .relationship:hover .row,.holdfast-map .relationship:focus-visible .row,.holdfast-map .relationship.selected .row{\
fill:var(--hf-accent);font-weight:600}
@media print{.holdfast-map{background:none}}
"""


def css() -> str:
    """Return the style sheet of the map."""
    light, dark = _variables(_LIGHT), _variables(_DARK)
    rules = [
        f".holdfast-map{{{light}}}",
        f"@media screen and (prefers-color-scheme:dark){{.holdfast-map{{{dark}}}}}",
        f'[data-theme="light"] .holdfast-map,.holdfast-map[data-theme="light"]{{{light}}}',
        f'@media screen{{[data-theme="dark"] .holdfast-map,.holdfast-map[data-theme="dark"]{{{dark}}}}}',
    ]
    rules += [
        f".holdfast-map .{state}{{--hf-line:var(--hf-{colour})}}.holdfast-map .{state} .way{{stroke-dasharray:{pattern}}}"
        for state, (colour, pattern) in _STATES.items()
    ]
    rules += [
        f".holdfast-map .heat-{degree}{{{f'--hf-line:var(--hf-heat-{degree})' if degree else ''}}}"
        f".holdfast-map .heat-{degree} .way{{stroke-width:{size}px}}"
        for degree, size in _WIDTHS.items()
    ]
    return "\n".join(rules) + _RULES


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"--hf-{name}:{value}" for name, value in colours.items())
