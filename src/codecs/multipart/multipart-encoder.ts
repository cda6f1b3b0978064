import { randomBytes } from 'node:crypto';
import { encodeKey } from '../../http/request/target.ts';
import { problemResponse } from '../../http/response/problem.ts';
import type { LayerCut } from '../../store/layers/layers.ts';
import type { ReadEncoder } from '../codec.ts';

const OCTETS = 'application/octet-stream';

/**
 * Each object is a part with its bytes; a failed one is a part with its problem. The last part, of type
 * application/json, has the number of failed items. Without it and the closing delimiter, the body is
 * incomplete. Each layer of an object that is cut is a part.
 */
export function multipartEncoder(
  keys: readonly string[],
  requestId: string,
  cut?: LayerCut,
): ReadEncoder {
  // 144 random bits occur in no object, neither by chance nor by intent.
  const boundary = randomBytes(18).toString('base64url');
  const locationOf = (index: number): string => `/v1/objects/${encodeKey(keys[index] as string)}`;
  const part = (type: string, bytes: number, more: string): string =>
    `--${boundary}\r\nContent-Type: ${type}\r\n${more}Content-Length: ${bytes}\r\n\r\n`;
  const about = (index: number, status: number, code: number | undefined): string =>
    `Content-Location: ${locationOf(index)}\r\nMemcache-Status: ${status}\r\n${
      code === undefined ? '' : `Memcache-Code: ${code}\r\n`
    }`;
  return {
    contentType: `multipart/mixed; boundary=${boundary}`,
    contentLength: undefined,
    fileExtension: '.multipart',
    openBytes: 0,
    base64: false,
    open: () => [],
    before(item, size) {
      if (cut === undefined) return part(OCTETS, size, about(item, 200, 0));
      const place = item % cut.selected.length;
      const index = (item - place) / cut.selected.length;
      const layer = `Memcache-Layer: ${cut.selected[place]?.number}\r\n`;
      return part(OCTETS, size, about(index, 200, 0) + layer);
    },
    after: () => '\r\n',
    failure(index, { slug, options }) {
      const instance = locationOf(index);
      const { status, body } = problemResponse(slug, { ...options, requestId, instance });
      const head = about(index, status, options.code);
      return `${part('application/problem+json', Buffer.byteLength(body), head)}${body}\r\n`;
    },
    close(failed) {
      const text = `{"failed":${failed}}\n`;
      return `${part('application/json', text.length, '')}${text}\r\n--${boundary}--\r\n`;
    },
  };
}
