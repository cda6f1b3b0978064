import type { IncomingMessage } from 'node:http';
import Negotiator from 'negotiator';
import { ProblemError } from '../errors.ts';

/** Throws `not-acceptable` unless the request takes `mediaType`; no Accept takes anything. */
export function requireAcceptable(req: IncomingMessage, mediaType: string): void {
  const accept = req.headers.accept;
  if (accept === undefined || accept === '*/*') return;
  if (new Negotiator(req).mediaType([mediaType]) !== undefined) return;
  throw new ProblemError('not-acceptable', { detail: `This can only be sent as ${mediaType}.` });
}

/** Whether a person's browser asks, which would rather read HTML than JSON. */
export const prefersHtml = (req: IncomingMessage): boolean =>
  new Negotiator(req).mediaType(['application/json', 'text/html']) === 'text/html';
