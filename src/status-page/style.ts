import { createHash } from 'node:crypto';

/** Colours have a contrast of at least 4.5 for text and 3 for lines, on light and on dark ground. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --card: #f5f6f8; --text: #1b1f24; --faint: #4f5863; --rule: #c9ced6;
  --first: #0b5cad; --second: #a5430c; --good: #1a6b32; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --card: #1d2127; --text: #e7eaee; --faint: #a9b1bc; --rule: #3d444d;
    --first: #6fb4ff; --second: #ffab73; --good: #74d08f; --bad: #ff9a92;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--ground); overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 1.75rem 0 0.5rem; }
h3 { font-size: 1rem; margin: 0 0 0.25rem; }
p { margin: 0.25rem 0; }
a { color: var(--first); }
code, pre { font: 0.9em ui-monospace, monospace; }
pre { white-space: pre-wrap; margin: 0.5rem 0; }
.good { color: var(--good); } .bad { color: var(--bad); }
.note, .empty, .hidden { color: var(--faint); }
.note { font-size: 0.875rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; }
figure, .card { margin: 0; padding: 0.75rem; background: var(--card); border: 1px solid var(--rule); border-radius: 6px; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--faint); }
svg path { fill: none; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.first { stroke: var(--first); } .second { stroke: var(--second); stroke-dasharray: 5 4; }
.grid { stroke: var(--rule); }
.legend { list-style: none; margin: 0.25rem 0 0; padding: 0; font-size: 0.875rem; }
.key { display: inline-block; width: 24px; height: 8px; vertical-align: middle; }
.bar rect { fill: none; stroke: var(--faint); } .bar .used { fill: var(--first); stroke: none; }
.dot { display: inline-block; width: 12px; height: 12px; margin-right: 0.35rem; vertical-align: -1px; }
.dot .good { fill: var(--good); } .dot .bad { fill: var(--bad); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.75rem 0.3rem 0; }
td:first-child code { white-space: nowrap; }
tr + tr { border-top: 1px solid var(--rule); }
form { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: end; }
label { flex: 1 1 16rem; }
input { display: block; width: 100%; }
input, button { font: inherit; padding: 0.4rem 0.6rem; color: inherit; background: var(--ground);
  border: 1px solid var(--faint); border-radius: 4px; }
:focus-visible { outline: 3px solid var(--first); outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; margin: 0.5rem 0; }
dt { color: var(--faint); } dd { margin: 0; }
`;

const digest = createHash('sha256').update(STYLE).digest('base64');

/**
 * The page has no script and loads nothing. The key that a client looks up is in the address of the page,
 * so no other server may get that address as Referer.
 */
export const pageFields: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  Vary: 'Accept',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
};
