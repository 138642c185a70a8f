/**
 * Style sheet of the report. Colours of methods: a grey baseline and seven that keep apart, also in the three forms of
 * dichromacy, and from their ground; one set for light and one for dark.
 */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --muted: #59636e; --line: #c3cad2; --grid: #e6e9ed; --shade: #1b1f2433;
  --accent: #0a62a8; --notice: #fff6dd; --notice-line: #d9a514;
  --many: #4b5563; --medium: #0072b2; --few: #d55e00;
  --heat: #005a9c; --on-heat: #ffffff; --wrong: #c2410c;
  --m0: #7f8894; --m1: #0a5fa8; --m2: #dd6216; --m3: #12a27c; --m4: #8c1d63; --m5: #6b4a08; --m6: #3a98ea; --m7: #2a1675;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --panel: #1d2127; --ink: #e8ebef; --muted: #a2acb8; --line: #4a535e; --grid: #2b3138; --shade: #000000aa;
    --accent: #7cc0f5; --notice: #2e2714; --notice-line: #c69a1f;
    --many: #9aa5b3; --medium: #56b4e9; --few: #f08c3e;
    --heat: #6cbcf0; --on-heat: #0c1116; --wrong: #f2793a;
    --m0: #868f9a; --m1: #1f86d0; --m2: #e2661a; --m3: #36d1a0; --m4: #eab0e0; --m5: #f0c030; --m6: #e6f6ff; --m7: #b3a4ff;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
}
main, header, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 .4rem; text-wrap: balance; }
h2 { font-size: 1.3rem; letter-spacing: -0.01em; margin: 3rem 0 .6rem; scroll-margin-top: 1rem; }
h3 { font-size: 1rem; margin: 1.8rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
h1, h2, h3, p, li, summary, figcaption { overflow-wrap: anywhere; }
.panel h3 > span { min-width: 0; }
.lead, .note, figcaption, caption { color: var(--muted); }
.note, figcaption, caption { font-size: .875rem; line-height: 1.5; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; list-style: none; margin: 1.2rem 0 0; padding: .7rem 0 0; border-top: 1px solid var(--line); font-size: .9rem; }
.warnings { background: var(--notice); border-left: 4px solid var(--notice-line); padding: .7rem 1rem; margin: 1.4rem 0; border-radius: 0 6px 6px 0; }
.warnings p { margin: 0; font-weight: 600; }
.warnings ul { margin: .3rem 0 0; padding-left: 1.2rem; font-size: .92rem; }
.scroll {
  overflow-x: auto; margin: .8rem 0;
  background:
    linear-gradient(to right, var(--ground) 40%, transparent) left / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--ground) 40%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) left / .9rem 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) right / .9rem 100% no-repeat scroll;
}
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .5rem; }
caption > span { display: block; position: sticky; left: 0; max-width: min(46rem, calc(100vw - 2.5rem)); }
th, td { padding: .36rem .6rem; text-align: right; white-space: nowrap; vertical-align: baseline; }
thead th { white-space: normal; max-width: 12rem; }
.headline thead th { white-space: nowrap; }
thead th { font-weight: 600; border-bottom: 1px solid var(--line); }
thead tr:not(:last-child) th { border-bottom: 0; padding-bottom: 0; text-align: center; color: var(--muted); font-size: .82rem; }
tbody th { text-align: left; font-weight: 500; }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
tbody th, thead tr:first-child th:first-child { position: sticky; left: 0; z-index: 1; background: var(--ground); padding-left: 0; min-width: 6.5rem; max-width: 16rem; text-align: left; white-space: normal; overflow-wrap: anywhere; }
tbody th.short { white-space: nowrap; }
tbody th.long { min-width: 12rem; }
thead tr:first-child th[rowspan] { vertical-align: bottom; color: inherit; font-size: inherit; border-bottom: 1px solid var(--line); padding-bottom: .36rem; }
td small { color: var(--muted); font-size: .82em; }
td.best { font-weight: 700; }
td small, td.best small { font-weight: 400; white-space: nowrap; }
td.text, th.text { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 7rem; max-width: 22rem; }
.headline { width: 100%; }
.picture { display: inline-block; vertical-align: top; max-width: none; background: var(--panel); }
.pixels { image-rendering: pixelated; }
.pictures { min-width: min(40rem, 100%); }
.pictures td, .pictures th { vertical-align: top; }
.pictures thead th { text-align: left; }
.pictures td:first-child { padding-left: 0; }
.pictures td.text { min-width: 4rem; }
ul.plain { list-style: none; margin: 0; padding: 0; }
ul.row { display: flex; gap: .8rem; list-style: none; margin: 0; padding: 0; }
.drawing > svg { --w: 800px; }
.swatch { width: 22px; height: 10px; margin-right: .45rem; vertical-align: baseline; flex: none; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none; margin: .6rem 0; padding: 0; font-size: .88rem; }
.legend li { display: flex; align-items: baseline; min-width: 0; }
figure { margin: 1rem 0 1.6rem; }
figcaption { margin: .2rem 0 .5rem; max-width: 46rem; }
figure svg:not(.swatch), .panel svg:not(.swatch) { display: block; width: 100%; max-width: var(--w); height: auto; font-family: inherit; }
svg text { font-family: inherit; }
.wide > svg { min-width: 52rem; }
.panels { display: grid; gap: 1.2rem 1.4rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--panel-width, 18rem)), 1fr)); }
.panel { margin: 0; min-width: 0; display: grid; grid-template-rows: subgrid; grid-row: span 2; row-gap: .3rem; align-items: end; }
.panel h3 { margin: 0; font-size: .92rem; display: flex; align-items: baseline; overflow-wrap: anywhere; }
.panel h3 small { font-weight: 400; color: var(--muted); margin-left: .5rem; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: var(--accent); font-size: .9rem; }
pre { background: var(--panel); padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; font-size: .82rem; line-height: 1.5; }
code, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .88em; }
pre code { font-size: 1em; }
footer { margin-top: 3rem; padding-bottom: 3rem; color: var(--muted); font-size: .85rem; }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  header { padding-top: 1.5rem; }
  h1 { font-size: 1.5rem; }
  th, td { padding: .34rem .55rem; }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #fff; --panel: #f6f7f9; --ink: #000; --muted: #444; --line: #aaa; --grid: #ddd; --accent: #000; --notice: #fff;
    --many: #4b5563; --medium: #0072b2; --few: #d55e00; --heat: #005a9c; --on-heat: #fff; --wrong: #c2410c;
    --m0: #7f8894; --m1: #0a5fa8; --m2: #dd6216; --m3: #12a27c; --m4: #8c1d63; --m5: #6b4a08; --m6: #3a98ea; --m7: #2a1675;
  }
  body { font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main, header, footer { max-width: none; padding: 0; }
  nav, details:not([open]) { display: none; }
  .scroll { overflow: visible; }
  .wide > svg { min-width: 0; }
  th, td { padding: .2rem .4rem; white-space: normal; }
  table { font-size: 8.5pt; }
  figure, .panel, tr, .warnings { break-inside: avoid; }
  h2, h3, figcaption { break-after: avoid; }
}
`;

/** Colours of the light page by name, `--ink` and so on, for pictures outside of a page. */
export const lightColours: Readonly<Record<string, string>> = Object.fromEntries(
  [...style.slice(0, style.indexOf('@media')).matchAll(/(--[\w-]+): (#[0-9a-f]+);/g)].map(([, name, colour]) => [
    name,
    colour,
  ]),
);
