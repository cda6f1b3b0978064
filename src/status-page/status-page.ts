/** GET / for browsers: the state of the pool. The worker makes the page, or the supervisor while no worker is ready. */
import { escapeHtml, htmlText } from '../http/response/html.ts';
import type { PoolHistory } from '../messages/history.ts';
import type { ClientReport } from '../messages/report.ts';
import { devicesPart, poolPart, trafficPart } from './figures.ts';
import { links } from './links.ts';
import { type Lookup, lookupPart } from './lookup.ts';
import type { Rights } from './rights.ts';
import { STYLE } from './style.ts';

export interface StatusFigures {
  readonly rights: Rights;
  readonly refreshes: boolean;
  /** Whether the gateway is ready; undefined when the supervisor did not report. */
  readonly ready: boolean | undefined;
  /** Why it is not; for everyone. */
  readonly reason?: string;
  readonly clients: readonly ClientReport[] | undefined;
  readonly history: PoolHistory | undefined;
  readonly lookup: Lookup | undefined;
}

const REFRESH_SECONDS = 30;

const commands = `printf 'hello, pool' | curl -T - ADDRESS/v1/objects/greeting
curl ADDRESS/v1/objects/greeting`;

const rows = links.map(
  ({ path, description }) =>
    `<tr><td><a href="${path}"><code>${path}</code></a></td><td>${description}</td></tr>`,
);

export function renderStatusPage(figures: StatusFigures): string {
  const { rights, refreshes, clients, history, lookup } = figures;
  const refresh = refreshes ? `<meta http-equiv="refresh" content="${REFRESH_SECONDS}">\n` : '';
  return htmlText(
    'memcache-gateway',
    `${refresh}<style>${STYLE}</style>`,
    `<header>
<h1>memcache-gateway</h1>
<p>This server stores and returns objects of a distributed in-memory store over HTTP.</p>
${readiness(figures)}
${refreshNote(figures)}
</header>
<main>
<h2>Look up a key</h2>
${lookupPart(lookup)}
<h2>Pool</h2>
${poolPart(history, rights.pool)}
<h2>Devices</h2>
${devicesPart(clients, rights.devices)}
<h2>The last 15 minutes</h2>
${trafficPart(history, rights.traffic)}
<h2>Pages and operations</h2>
<table>
<thead><tr><th scope="col">Path</th><th scope="col">Content</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
<p>Store an object and read it, with the address of this page in the place of <code>ADDRESS</code>:</p>
<pre><code>${commands}</code></pre>
</main>`,
  );
}

function readiness({ ready, reason }: StatusFigures): string {
  if (ready === undefined) {
    return '<p class="bad">The supervisor did not report in time: figures are missing below.</p>';
  }
  if (ready) return '<p class="good">The gateway is ready.</p>';
  return `<p class="bad">The gateway is not ready.${reason === undefined ? '' : ` ${escapeHtml(reason)}`}</p>`;
}

function refreshNote({ refreshes, lookup }: StatusFigures): string {
  if (refreshes) {
    return `<p class="note">The page loads again every ${REFRESH_SECONDS} seconds. <a href="/?refresh=off">Stop that</a></p>`;
  }
  const why = lookup === undefined ? '' : ' while it shows a key';
  return `<p class="note">The page does not load again by itself${why}. <a href="/">Show the current figures</a></p>`;
}
