/** The members of a line about a request that are words of its text. */
interface RequestLine {
  readonly msg: string;
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requestId?: string;
  readonly keyHash?: string;
}

/** The message of a request that is logged only because of --access-log. */
const ORDINARY = 'request';

/**
 * For a terminal: the line of a request as one short text, such as
 * `GET /v1/objects/{key} 200, 1.2 ms, 0 B in, 8.6 MB out`. A line that needs attention keeps its message and
 * its other members. Other lines stay as they are.
 */
export function shortRequest(line: string): string {
  if (!line.includes('"bytesOut":')) return line;
  const { msg, method, route, status, durationMs, bytesIn, bytesOut, ...others } = JSON.parse(
    line,
  ) as RequestLine;
  const outcome = status === 0 ? 'no response' : status;
  const transfer = `${bytesText(bytesIn)} in, ${bytesText(bytesOut)} out`;
  const words = `${method} ${route} ${outcome}, ${durationMs.toFixed(1)} ms, ${transfer}`;
  if (msg !== ORDINARY) return JSON.stringify({ ...others, msg: `${msg}: ${words}` });
  // JSON has no undefined members.
  return JSON.stringify({ ...others, requestId: undefined, keyHash: undefined, msg: words });
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** In steps of 1000, with one decimal above bytes. */
function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
