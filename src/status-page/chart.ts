/** Line charts as inline SVG, which browsers show without a script. */
import { escapeHtml } from '../http/response/html.ts';

export interface Line {
  readonly name: string;
  /** Of each point, the oldest first; null where there is none. */
  readonly values: readonly (number | null)[];
}

export interface Chart {
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
  /** One or two lines. */
  readonly lines: readonly Line[];
  /** Age of each point in milliseconds, the oldest first. */
  readonly agesMs: readonly number[];
  readonly format: (value: number) => string;
  /** The end of the vertical axis, for the largest value. */
  readonly maximum: (most: number) => number;
  /** Shown in place of the chart when no line has a value. */
  readonly empty: string;
  readonly note?: string;
}

const WIDTH = 360;
const HEIGHT = 150;
/** The area of the lines: room for the scale above and the times below. */
const AREA = { left: 4, right: WIDTH - 4, top: 20, bottom: HEIGHT - 20 };
export const SPAN_MS = 15 * 60_000;
/** Points that are further apart are not joined: nothing is known between them. */
const GAP_MS = 30_000;
/** The usual time from one point to the next. */
const POINT_MS = 10_000;
const CLASSES = ['first', 'second'];

type Known = (value: number | null) => value is number;
const isKnown: Known = (value): value is number => value !== null;

export function chart(options: Chart): string {
  const { id, title, lines, empty, format, maximum, note } = options;
  const known = lines.flatMap(({ values }) => values.filter(isKnown));
  if (known.length === 0) {
    return figure(id, title, `<p class="empty">${escapeHtml(empty)}</p>`, '');
  }
  const most = maximum(Math.max(...known));
  const paths = lines.map(
    (line, at) => `<path class="${CLASSES[at] ?? ''}" d="${pathOf(options, line, most)}"/>`,
  );
  const spoken = lines.map((line) => describe(line, format)).join('; ');
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${escapeHtml(title)}, last 15 minutes</title>
<desc id="${id}-desc">${escapeHtml(spoken)}</desc>
${[AREA.top, (AREA.top + AREA.bottom) / 2, AREA.bottom].map(gridLine).join('')}
<text x="${AREA.left}" y="14">${escapeHtml(format(most))}</text>
<text x="${AREA.left}" y="${HEIGHT - 5}">15 min ago</text>
<text x="${AREA.right}" y="${HEIGHT - 5}" text-anchor="end">now</text>
${paths.join('\n')}
</svg>`;
  const legend = lines.map((line, at) => entry(line, format, CLASSES[at] ?? ''));
  const more = note === undefined ? '' : `<p class="note">${escapeHtml(note)}</p>`;
  return figure(id, title, svg, `<ul class="legend">${legend.join('')}</ul>${more}`);
}

const figure = (id: string, title: string, picture: string, below: string): string =>
  `<figure aria-labelledby="${id}-heading"><figcaption><h3 id="${id}-heading">${escapeHtml(title)}</h3></figcaption>
${picture}
${below}</figure>`;

const gridLine = (y: number): string =>
  `<line class="grid" x1="${AREA.left}" x2="${AREA.right}" y1="${y}" y2="${y}"/>`;

function describe({ name, values }: Line, format: Chart['format']): string {
  const known = values.filter(isKnown);
  const last = known.at(-1);
  if (last === undefined) return `${name}: none`;
  return `${name}: ${format(last)} last, ${format(Math.max(...known))} highest`;
}

const entry = (line: Line, format: Chart['format'], kind: string): string =>
  `<li><svg class="key" viewBox="0 0 24 8" aria-hidden="true"><path class="${kind}" d="M2 4H22"/></svg> ${escapeHtml(describe(line, format))}</li>`;

const WIDTH_PER_MS = (AREA.right - AREA.left) / SPAN_MS;

/** A value is that of the time before its point. So a point without neighbours is a short line, too. */
function pathOf({ agesMs }: Chart, { values }: Line, most: number): string {
  const parts: string[] = [];
  let last: number | undefined;
  for (const [at, value] of values.entries()) {
    const ageMs = agesMs[at];
    if (value === null || ageMs === undefined || ageMs > SPAN_MS) {
      last = undefined;
      continue;
    }
    const isJoined = last !== undefined && last - ageMs <= GAP_MS;
    const x = AREA.right - ageMs * WIDTH_PER_MS;
    const y = (AREA.bottom - (value / most) * (AREA.bottom - AREA.top)).toFixed(1);
    const start = Math.max(AREA.left, x - POINT_MS * WIDTH_PER_MS).toFixed(1);
    parts.push(isJoined ? `L${x.toFixed(1)} ${y}` : `M${start} ${y}H${x.toFixed(1)}`);
    last = ageMs;
  }
  return parts.join('');
}
