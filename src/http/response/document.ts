import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A text that stays as it is while the process runs: a page, a description. */
export interface Document {
  readonly contentType: string;
  readonly body: Buffer;
  readonly etag: string;
}

export function makeDocument(contentType: string, text: string): Document {
  const body = Buffer.from(text);
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 22);
  return { contentType, body, etag: `"${digest}"` };
}

/**
 * Sends a document, or 304 when the client has it. `no-cache` lets caches keep it but makes them revalidate
 * it each time, since the next version of the gateway serves another text under the same path.
 */
export function sendDocument(req: IncomingMessage, res: ServerResponse, document: Document): void {
  res.setHeader('Cache-Control', 'no-cache');
  res.setHeader('ETag', document.etag);
  if (isMatch(req.headers['if-none-match'], document.etag)) {
    res.statusCode = 304;
    res.end();
    return;
  }
  res.setHeader('Content-Type', document.contentType);
  res.setHeader('Content-Length', document.body.length);
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.end(req.method === 'HEAD' ? undefined : document.body);
}

/** If-None-Match compares weakly (RFC 9110 §13.1.2): proxies that compress weaken the tag. */
function isMatch(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
