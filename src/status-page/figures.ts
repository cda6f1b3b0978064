/** The parts of the page that show figures. A part that the request may not see says which scope it needs. */
import { escapeHtml } from '../http/response/html.ts';
import type { MediumUse, PoolHistory } from '../messages/history.ts';
import type { ClientReport } from '../messages/report.ts';
import { chart, SPAN_MS } from './chart.ts';
import {
  bytes,
  bytesPerSecond,
  duration,
  milliseconds,
  percent,
  perSecond,
  plain,
  roundBytes,
  roundMaximum,
} from './numbers.ts';

const NO_REPORT = '<p class="bad">The supervisor did not report in time.</p>';

const hidden = (what: string, operation: string): string =>
  `<p class="hidden">${what} need a token with the scope <code>admin</code>, as <code>${operation}</code> does.</p>`;

export function poolPart(history: PoolHistory | undefined, mayShow: boolean): string {
  if (!mayShow) return hidden('The figures of the pool', 'GET /v1/cluster/capacity');
  if (history === undefined) return NO_REPORT;
  const { media, objects, points } = history;
  if (media.length === 0) {
    return '<p class="empty">The size of the pool is not known. The first figures come some seconds after the start; the distributed engine has them only with <code>--meta-url</code>.</p>';
  }
  const count = objects === null ? '' : `<p>${plain(objects)} objects</p>`;
  const used = chart({
    id: 'used',
    title: 'Used part of the pool',
    lines: [{ name: 'used', values: points.map(({ usedRatio }) => usedRatio) }],
    agesMs: points.map(({ agoMs }) => agoMs),
    format: percent,
    maximum: () => 1,
    empty: 'No figures yet.',
  });
  return `<div class="charts"><div class="card">${media.map(mediumBar).join('\n')}${count}</div>
${used}</div>`;
}

const BAR = { width: 358, height: 14 };

function mediumBar({ medium, totalBytes, usedBytes }: MediumUse, at: number): string {
  const ratio = totalBytes === 0 ? 0 : Math.min(1, usedBytes / totalBytes);
  const text = `${bytes(usedBytes)} of ${bytes(totalBytes)} used (${percent(ratio)})`;
  return `<h3>${escapeHtml(medium)}</h3>
<svg class="bar" viewBox="0 0 ${BAR.width + 2} ${BAR.height + 2}" role="img" aria-labelledby="medium-${at}">
<title id="medium-${at}">${escapeHtml(`${medium}: ${text}`)}</title>
<rect class="used" x="1" y="1" width="${(ratio * BAR.width).toFixed(1)}" height="${BAR.height}"/>
<rect x="1" y="1" width="${BAR.width}" height="${BAR.height}"/>
</svg>
<p>${escapeHtml(text)}</p>`;
}

export function devicesPart(
  clients: readonly ClientReport[] | undefined,
  mayShow: boolean,
): string {
  if (!mayShow) return hidden('The states of the devices', 'GET /v1/clients');
  if (clients === undefined) return NO_REPORT;
  return `<table>
<thead><tr><th scope="col">Device</th><th scope="col">State</th><th scope="col">Uptime</th><th scope="col">Restarts</th></tr></thead>
<tbody>
${clients.map(deviceRow).join('\n')}
</tbody>
</table>`;
}

function deviceRow({ device, state, uptimeMs, restarts, pid }: ClientReport): string {
  const kind = state === 'ready' ? 'good' : 'bad';
  const uptime = pid === null ? '–' : duration(uptimeMs);
  return `<tr><td>${device}</td><td><svg class="dot" viewBox="0 0 12 12" aria-hidden="true"><circle class="${kind}" cx="6" cy="6" r="6"/></svg>${state}</td><td>${uptime}</td><td>${restarts}</td></tr>`;
}

export function trafficPart(history: PoolHistory | undefined, mayShow: boolean): string {
  if (!mayShow) {
    return '<p class="hidden">The figures of the traffic need a token, as <code>GET /metrics</code> does.</p>';
  }
  if (history === undefined) return NO_REPORT;
  const points = history.points.filter(({ agoMs }) => agoMs <= SPAN_MS);
  const agesMs = points.map(({ agoMs }) => agoMs);
  const early = 'No figures yet: the first come some 10 seconds after the start.';
  const empty = points.length === 0 ? early : 'No such requests in this time.';
  const throughput = { agesMs, empty: early };
  const charts = [
    chart({
      ...throughput,
      id: 'requests',
      title: 'Requests',
      lines: [{ name: 'requests', values: points.map((point) => point.requestsPerSecond) }],
      format: perSecond,
      maximum: roundMaximum,
      note: 'For objects, layers and batches, without those of pages and monitoring.',
    }),
    chart({
      ...throughput,
      id: 'bytes',
      title: 'Throughput',
      lines: [
        { name: 'sent to clients', values: points.map((point) => point.sentPerSecond) },
        { name: 'received', values: points.map((point) => point.receivedPerSecond) },
      ],
      format: bytesPerSecond,
      maximum: roundBytes,
    }),
    chart({
      ...{ agesMs, empty },
      id: 'latency',
      title: 'Latency',
      lines: [
        { name: 'mean', values: points.map(({ meanMs }) => meanMs) },
        { name: '99 % within', values: points.map(({ mostMs }) => mostMs) },
      ],
      format: milliseconds,
      maximum: roundMaximum,
      note: 'From the end of the request head to the last byte of the response. The second line is the bound of a bucket of the histogram, at most 10 s.',
    }),
    chart({
      ...{ agesMs, empty },
      id: 'hits',
      title: 'Hit ratio',
      lines: [{ name: 'found', values: points.map(({ hitRatio }) => hitRatio) }],
      format: percent,
      maximum: () => 1,
      note: 'Reads of single objects; batches are not counted.',
    }),
  ];
  return `<div class="charts">${charts.join('\n')}</div>`;
}
