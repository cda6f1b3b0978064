/** Requests to the HTTP server of the meta service. It is outside the gateway, so nothing that it sends is trusted. */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';

/** The meta service did not report; the message is the end of a sentence. */
export class MetaServiceError extends Error {
  override readonly name = 'MetaServiceError';
}

/** Limit of a response that is read as a whole. The figures of 1,000 segments need a fifth of it. */
const MAX_TEXT_BYTES = 4 << 20;
/** Limit of what is repeated of a response. */
const MAX_REASON = 200;

/**
 * The body of a response that is no failure, in chunks. `deadlineMs` is for the whole response. The
 * request ends when the loop is left. @throws MetaServiceError
 */
export async function* chunksOf(
  url: string,
  deadlineMs: number,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const { request, response, isLate } = send(url, deadlineMs, signal);
  try {
    const opened = await response;
    if (opened.statusCode !== 200)
      throw new MetaServiceError(`it responds with ${opened.statusCode}`);
    if (isJson(opened)) {
      throwFailure(await textOf(opened));
      throw new MetaServiceError('it responds with JSON where a text was expected');
    }
    yield* opened as AsyncIterable<Buffer>;
  } catch (error) {
    throw isLate() ? tooLate(deadlineMs) : asFailure(error);
  } finally {
    request.destroy();
  }
}

/** The whole text of a response that is no failure. @throws MetaServiceError */
export async function readText(url: string, deadlineMs: number): Promise<string> {
  const { request, response, isLate } = send(url, deadlineMs);
  try {
    const opened = await response;
    if (opened.statusCode !== 200)
      throw new MetaServiceError(`it responds with ${opened.statusCode}`);
    const text = await textOf(opened);
    throwFailure(text);
    return text;
  } catch (error) {
    throw isLate() ? tooLate(deadlineMs) : asFailure(error);
  } finally {
    request.destroy();
  }
}

/** The members of a JSON object; undefined for any other text. */
export function membersOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { ...value }
      : undefined;
  } catch {
    return undefined;
  }
}

function send(url: string, deadlineMs: number, signal?: AbortSignal) {
  const { get } = url.startsWith('https:') ? https : http;
  // Not fetch, which refuses some ports.
  const request = get(url, { agent: false, ...(signal === undefined ? {} : { signal }) });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    request.destroy();
  }, deadlineMs);
  request.once('close', () => clearTimeout(timer));
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new MetaServiceError('it responds with another protocol'));
    });
    request.once('close', () => reject(new MetaServiceError('it has closed the connection')));
  });
  return { request, response, isLate: () => late };
}

export const tooLate = (deadlineMs: number): MetaServiceError =>
  new MetaServiceError(`it sent no complete response in ${Math.round(deadlineMs)} ms`);

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_TEXT_BYTES) throw new MetaServiceError('its response is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const isJson = ({ headers }: IncomingMessage): boolean =>
  /^application\/json\b/i.test(headers['content-type'] ?? '');

/** Failures arrive with the status 200 (docs/engine-facts.md §11). */
function throwFailure(text: string): void {
  if (!text.startsWith('{')) return;
  const members = membersOf(text);
  if (members?.['success'] !== false) return;
  const { error_message: reason } = members;
  const words = typeof reason === 'string' ? `: ${shown(reason)}` : '';
  throw new MetaServiceError(`it responds with a failure${words}`);
}

const shown = (text: string): string => text.slice(0, MAX_REASON).replaceAll(/\p{C}/gu, '\uFFFD');

function asFailure(error: unknown): MetaServiceError {
  if (error instanceof MetaServiceError) return error;
  const { message, code } = error as NodeJS.ErrnoException;
  const reason = message || (code ?? 'it cannot be reached');
  return new MetaServiceError(shown(reason), { cause: error });
}
