"""The style sheet of the HTML report: light, dark and paper."""

STYLE = """
:root {
  --ground: #ffffff; --panel: #f5f7fa; --text: #1c2330; --soft: #5a6472; --line: #d5dae1;
  --first: #0072b2; --second: #b04a00; --warn: #fff4e0; --warn-line: #d98b00;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #171c24; --panel: #1f2630; --text: #e4e8ee; --soft: #9aa5b3; --line: #39424f;
    --first: #56b4e9; --second: #e69f00; --warn: #2e2718; --warn-line: #e69f00;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, footer { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
header { padding: 28px 0 8px; }
h1 { font-size: 26px; margin: 0; line-height: 1.25; overflow-wrap: anywhere; }
header p { margin: 4px 0 0; color: var(--soft); }
section { margin: 36px 0; }
section > h2 { font-size: 18px; margin: 0 0 8px; padding-bottom: 6px; border-bottom: 1px solid var(--line); }
.note { color: var(--soft); font-size: 13px; margin: 4px 0 10px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px;
  margin-top: 16px; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.card h2 { font-size: 13px; font-weight: 500; margin: 0; color: var(--soft); }
.card strong { font-size: 24px; font-weight: 650; font-variant-numeric: tabular-nums; }
.card p { margin: 0; font-size: 13px; color: var(--soft); font-variant-numeric: tabular-nums; }
aside { background: var(--warn); border-left: 4px solid var(--warn-line); border-radius: 4px;
  padding: 10px 16px; margin: 20px 0; }
aside h2 { font-size: 15px; margin: 0; }
ul { margin: 6px 0; padding-left: 20px; }
li { margin: 3px 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: 13px; vertical-align: bottom; }
th.text, td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; }
th:first-child, td:first-child { padding-left: 0; }
tbody tr:hover { background: var(--panel); }
.figure { display: block; margin: 12px 0 16px; text-align: center; }
.figure img { max-width: 100%; height: auto; }
summary { cursor: pointer; color: var(--first); }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 16px; }
figure { margin: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px; }
figcaption { font-size: 14px; margin-top: 4px; overflow-wrap: anywhere; }
.triptych { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; }
.triptych > div { min-width: 0; }
.triptych img { width: 100%; aspect-ratio: 1; display: block; border-radius: 3px; background: #808080; }
.triptych p { margin: 4px 0 0; font-size: 12.5px; line-height: 1.35; overflow-wrap: anywhere; }
.triptych .note { font-size: 12px; }
.pixels { image-rendering: pixelated; }
.right { color: var(--first); }
.wrong { color: var(--second); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; font-size: 13px; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: 12px; padding-bottom: 32px; }
@media print {
  body { font-size: 10.5pt; }
  main, footer { max-width: none; padding: 0; }
  section, aside, .card { break-inside: avoid; }
  section:has(table) { break-inside: auto; }
  section > h2, section > .note { break-after: avoid; }
  tr, figure, .figure { break-inside: avoid; }
  .card, figure, aside { print-color-adjust: exact; }
  table { font-size: 8.5pt; }
  th, td { padding: 3px 6px; }
  .scroll { overflow: visible; }
  .examples { grid-template-columns: 1fr 1fr; }
}
"""
