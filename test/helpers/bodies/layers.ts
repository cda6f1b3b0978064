import { randomBytes } from 'node:crypto';
import { requestTo } from '../http/requests.ts';
import type { ReadyGateway } from '../process/gateway.ts';
import { formOf } from './multipart.ts';
import { safetensorsOf } from './safetensors.ts';

export const TENSORS = 'application/vnd.safetensors';
export const OCTETS = 'application/octet-stream';
export const form = { 'content-type': 'multipart/form-data; boundary=b' };
export const tensors = { 'content-type': TENSORS };
export const json = { 'content-type': 'application/json' };
export const chunked = { 'transfer-encoding': 'chunked' };
export const mebibyte = 1 << 20;

/** The layers of a KV-cache block, as in the engine's documentation. */
export const block = '131072x61,16384x61';
export const blockSizes = [
  ...Array<number>(61).fill(131_072),
  ...Array<number>(61).fill(16_384),
] as const;

/** Flags of a gateway with two layouts and small limits. */
export const layerLimits = [
  ...['--arena-bytes', '64MiB', '--pool-bytes', '512MiB', '--max-object-bytes', '16MiB'],
  ...['--unsized-bytes', '1MiB', '--batch-json-bytes', '1MiB'],
  ...['--layout', `deepseek-r1=${block}`, '--layout', 'pair=5x2'],
] as const;

export const randomLayers = (sizes: readonly number[]): Buffer[] =>
  sizes.map((size) => randomBytes(size));

export const fileOf = (layers: readonly Uint8Array[]): Buffer =>
  safetensorsOf(layers.map((bytes, number) => [String(number), bytes]));

export const partsOf = (layers: readonly Uint8Array[]): Buffer =>
  formOf(
    'b',
    layers.map((bytes) => ['layer', bytes]),
  );

/** Requests to the layers of objects; `what` is `key?query`. */
export function layersTo(gateway: () => ReadyGateway) {
  const { request, problem } = requestTo(gateway);
  return {
    put: (what: string, body: Uint8Array | string, headers: Record<string, string>) =>
      request('PUT', what, { body, headers }, 'layers'),
    get: (what: string, headers: Record<string, string> = {}) =>
      request('GET', what, { headers }, 'layers'),
    head: (what: string, headers: Record<string, string> = {}) =>
      request('HEAD', what, { headers }, 'layers'),
    refused: (
      method: string,
      what: string,
      status: number,
      slug: Parameters<typeof problem>[3],
      headers: Record<string, string> = {},
      body?: Uint8Array | string,
    ) =>
      problem(
        method,
        what,
        status,
        slug,
        body === undefined ? { headers } : { headers, body },
        'layers',
      ),
  };
}
