"""How the page looks: in the light and in the dark, on a phone, and on paper. All text has a contrast of 4.5 to 1 or more."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #5b5f68; --line: #d5d8de; --soft: #f3f4f6; --paper: #fff;
  --bad: #b4232a; --warn: #8a4b00; --good: #1d6b3a; --link: #0b5cad }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --dim: #a7abb3; --line: #3a3d43; --soft: #24262b; --paper: #151619;
    --bad: #ff8b88; --warn: #f0b060; --good: #7ed3a0; --link: #8ec1ff }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif }
main { margin: 2.5rem auto; max-width: 76rem; padding: 0 1.25rem }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .7rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem }
h3 { font-size: 1.05rem; margin: 1.7rem 0 .4rem }
h4 { font-size: .95rem; margin: 1.2rem 0 .3rem }
h1, h2, h3, h4, p, li, summary { overflow-wrap: anywhere }
p { margin: .5rem 0; max-width: 62rem }
ul, ol { padding-left: 1.5rem; max-width: 62rem }
li { margin: .25rem 0 }
a { color: var(--link) }
nav { background: var(--soft); border-radius: 8px; padding: .6rem 1rem; margin: 1.2rem 0 }
nav ol { columns: 3 15rem; margin: 0; max-width: none }
strong { color: var(--bad) }
code, pre { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", monospace }
code { background: var(--soft); padding: .08em .3em; border-radius: 3px; overflow-wrap: anywhere; white-space: pre-wrap }
pre { background: var(--soft); border-radius: 6px; padding: .7rem .9rem; margin: .6rem 0; overflow: auto; max-height: 32rem }
pre code { background: none; padding: 0; white-space: pre; overflow-wrap: normal }
.level { font-weight: 600; white-space: nowrap }
.high, .error, .failed, .application, .rollback { color: var(--bad) }
.medium, .warn, .planned, .found, .rolled { color: var(--warn) }
.low, .applied, .approved { color: var(--good) }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .6rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem 1.1rem .35rem 0; border-bottom: 1px solid var(--line) }
thead th { font-weight: 600; color: var(--dim) }
.cards tbody th { min-width: 13rem }
.cards.slim tbody th { min-width: 4rem }
.cards td { min-width: 4.5rem }
tbody th { font-weight: 500 }
.pairs th { color: var(--dim); white-space: nowrap; font-weight: 400 }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.bar, .whole { white-space: nowrap }
.bar svg { vertical-align: -1px; margin-right: .4em }
.back { fill: var(--line) }
.fill { fill: var(--bad) }
figure { margin: 1rem 0; overflow: auto; max-height: 80vh; border: 1px solid var(--line); border-radius: 8px }
figure > svg { display: block; max-width: none }
.fits > svg { width: 100%; min-width: 46rem; height: auto }
details { margin: .7rem 0; border: 1px solid var(--line); border-radius: 6px; padding: 0 .9rem }
summary { cursor: pointer; padding: .5rem 0; font-weight: 500 }
details[open] > summary { border-bottom: 1px solid var(--line); margin-bottom: .6rem }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
@media (max-width: 42rem) {
  main { margin: 1.2rem auto; padding: 0 .9rem }
  nav ol { columns: 1 }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  .cards, .cards tbody, .cards tr, .cards th, .cards td { display: block; text-align: left }
  .cards { width: 100% }
  .cards .absent { display: none }
  .cards tr { border-bottom: 1px solid var(--line); padding: .5rem 0 }
  .cards tbody th { border: 0; min-width: 0 !important; padding: 0 0 .2rem; font-weight: 600; overflow-wrap: anywhere }
  .cards td { display: flow-root; border: 0; padding: .1rem 0 .1rem 7.2rem; min-width: 0 }
  .cards td { white-space: normal; overflow-wrap: anywhere }
  .cards td::before { content: attr(data-label); float: left; margin-left: -7.2rem; width: 6.8rem; color: var(--dim) }
  .pairs th, .pairs td { padding-right: .7rem; overflow-wrap: anywhere }
}
@media print {
  :root { color-scheme: light; --ink: #000; --dim: #444; --line: #bbb; --soft: #f4f4f4; --paper: #fff;
    --bad: #a01018; --warn: #7a4200; --good: #155a2e; --link: #000 }
  @page { margin: 15mm }
  body { font-size: 10pt }
  main { margin: 0; max-width: none; padding: 0 }
  h2, h3, h4, summary, thead { break-after: avoid }
  tr, li { break-inside: avoid }
  .wide, figure, pre { overflow: visible; max-height: none }
  figure > svg { width: 100%; min-width: 0; height: auto }
  pre code { white-space: pre-wrap; overflow-wrap: anywhere }
  details { border: 0; padding: 0 }
  details.long { display: none }
  details::details-content { content-visibility: visible; height: auto; display: block }
}
"""
