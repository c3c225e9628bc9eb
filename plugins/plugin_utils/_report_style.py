# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the report's page looks: its style sheet, and the patterns of its pictures.

What a picture says is said by shape first: taken is filled, asked for has a plus, free is an outline. Colours are
checked for contrast by the tests, in the light and in the dark scheme.

This plugin util is private to the collection.
"""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --sheet: #fff; --ink: #1e1d1a; --soft: #5c5a53; --line: #dcd8ce;
  --taken: #6f7278; --asked: #0b58a6; --free: #8f8c84;
  --admit: #176437; --wait: #8a4b00; --reject: #a11f17; --unknown: #5a4890;
  --serif: Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Georgia, serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #151619; --sheet: #1c1d21; --ink: #e9e7e1; --soft: #aeaaa0; --line: #36373d;
    --taken: #8d9099; --asked: #7db8f5; --free: #75767d;
    --admit: #7fd39d; --wait: #f1b85f; --reject: #ff938a; --unknown: #bdabf7;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 66rem; padding: clamp(1rem, 4vw, 3rem);
  background: var(--paper); color: var(--ink);
  font: 400 .9375rem/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1, h2, h3, p, ul, ol, dl, table, figure { margin: 0; padding: 0; }
ul, ol { list-style: none; }
h1, h2 { font-family: var(--serif); font-weight: 600; line-height: 1.2; text-wrap: balance; }
h1 { font-size: clamp(1.375rem, 1rem + 2.2vw, 2.125rem); }
h2 { font-size: 1.375rem; }
.title { font: 600 .8125rem/1.2 system-ui, sans-serif; letter-spacing: .06em; text-transform: uppercase; }
.title { color: var(--soft); }
header, section, footer { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); }
.pool { margin-top: 2.5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
.part { display: grid; grid-template-columns: minmax(0, 1fr); gap: .75rem; }
.part { margin-top: 1.5rem; } div.pool > .part:first-child { margin-top: 0; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); }
footer { font-size: .8125rem; }
.word { display: block; font-size: .6em; letter-spacing: .14em; font-family: system-ui, sans-serif; }
.verdict { border-left: .375rem solid currentColor; padding: .125rem 0 .25rem 1rem; }
.admit { color: var(--admit); } .wait { color: var(--wait); }
.reject { color: var(--reject); } .unknown { color: var(--unknown); }
.verdict > span:last-child { color: var(--ink); }
.unknown.verdict { border-left-style: dotted; } .wait.verdict { border-left-style: dashed; }
.reject.verdict { border-left-style: double; }
.said { display: grid; gap: .375rem; font-size: 1.0625rem; }
.said li { padding-left: 1.25rem; text-indent: -1.25rem; }
.said li::before { content: "\\2014\\00a0"; color: var(--soft); }
.said.do li { text-indent: 0; padding-left: 0; } .said.do li::before { content: none; }
.do b { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem; }
dt, .soft { color: var(--soft); } dd { margin: 0; }
.soft { font-size: .8125rem; font-weight: 400; }
a { color: inherit; text-underline-offset: .2em; }
a:focus-visible, summary:focus-visible { outline: .1875rem solid var(--asked); outline-offset: .1875rem; }
table { width: 100%; border-collapse: collapse; }
caption { text-align: left; color: var(--soft); font-size: .8125rem; padding-bottom: .375rem; }
th, td { text-align: left; vertical-align: top; padding: .375rem .75rem .375rem 0; border-top: 1px solid var(--line); }
th { font-weight: 600; }
thead th { color: var(--soft); font-weight: 400; font-size: .8125rem; }
thead th, thead td { border-top: 0; }
td:last-child, th:last-child { padding-right: 0; }
.num { text-align: right; white-space: nowrap; }
.mark { width: 3.25rem; } .check { width: 8.5rem; } .pic { width: 3.5rem; } .place { width: 2.5rem; }
.flavor { width: 30%; } .job { width: 30%; } .asks { width: 24%; } .time { width: 6rem; white-space: nowrap; }
.waits, .share { display: grid; grid-template-columns: 4.5rem minmax(0, 1fr); align-items: center; }
.share { grid-template-columns: 14rem minmax(0, 1fr); }
.bad { font-weight: 600; color: var(--reject); } .open { font-weight: 600; color: var(--unknown); }
.room { display: grid; gap: 1rem; }
.room b { font-weight: 600; }
.bar { display: block; width: 100%; height: 1.125rem; margin: .25rem 0; overflow: visible; }
.line { display: block; width: 100%; height: .625rem; }
.t { fill: var(--taken); }
.a { fill: none; stroke: var(--asked); stroke-width: 1; } .p { stroke: var(--asked); stroke-width: 2; fill: none; }
.f { fill: none; stroke: var(--free); stroke-width: 1; }
.u { fill: none; stroke: var(--free); stroke-width: 1; stroke-dasharray: 1.5 1.5; }
.o { stroke: var(--reject); stroke-width: 1.5; } .k { fill: var(--sheet); stroke: var(--reject); }
.l, .q { font: 700 11px system-ui, sans-serif; text-anchor: middle; fill: var(--reject); }
.q { font-size: 14px; fill: var(--unknown); }
.asked { fill: url(#asked); stroke: var(--asked); } .kept { fill: url(#kept); stroke: var(--free); }
.starting { fill: url(#starting); stroke: var(--taken); } .left { fill: none; stroke: var(--free); }
.short { fill: none; stroke: var(--reject); stroke-width: 2; stroke-dasharray: 4 3; }
.end { stroke: var(--ink); stroke-width: 2; }
.ink { stroke: var(--asked); stroke-width: 2; } .fleck { fill: var(--taken); }
.rule { stroke: var(--free); stroke-width: 1.5; }
.defs { position: absolute; width: 0; height: 0; }
.n { display: inline-block; vertical-align: middle; overflow: visible; width: 2.125rem; height: 1rem; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; color: var(--soft); font-size: .8125rem; }
.legend svg { width: 1rem; height: 1rem; vertical-align: -.1875rem; margin-right: .375rem; overflow: visible; }
.nodes { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .625rem; }
.nodes li {
  display: grid; gap: .375rem; align-content: start; padding: .5rem; border: 1px solid var(--line);
  border-radius: .25rem; background: var(--sheet); font-size: .8125rem; line-height: 1.35;
}
.nodes .n { width: 4.25rem; height: 2rem; }
.nodes .out { border-style: dashed; }
.dense { display: flex; flex-wrap: wrap; gap: 7px 9px; line-height: 0; }
.dense .n { width: 25px; height: 12px; }
.own th, .own td { font-weight: 600; border-top: 2px solid var(--asked); border-bottom: 2px solid var(--asked); }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 40rem) {
  table { font-size: .8125rem; } th, td { padding-right: .5rem; }
  .place { width: 1.75rem; } .mark { width: 2.5rem; } .check { width: 5.75rem; }
  .time, .flavor { width: 24%; } .job { width: 38%; } .asks { width: 26%; }
  .waits, .share { grid-template-columns: minmax(0, 1fr); gap: .25rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .5rem; }
  .nodes { grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); }
  .dense { gap: 5px; } .dense .n { width: 17px; height: 8px; }
}
@media print {
  :root {
    color-scheme: light; --paper: #fff; --sheet: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --taken: #666; --asked: #000; --free: #777; --admit: #000; --wait: #000; --reject: #000; --unknown: #000;
  }
  body { max-width: none; padding: 0; font-size: 9pt; }
  .nodes li, tr, .room li { break-inside: avoid; }
}
"""

PATTERNS = (
    '<pattern id="asked" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="ink" d="M1 0v6"/></pattern>'
    '<pattern id="kept" width="5" height="5" patternUnits="userSpaceOnUse"><path class="rule" d="M2.5 0v5"/></pattern>'
    '<pattern id="starting" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<circle class="fleck" cx="2.5" cy="2.5" r="1.4"/></pattern>'
)
