import { checkClientOptions, checkOptions, kindOf, refuse } from '../arguments.ts';
import type { ClientOptions } from '../transport.ts';
import { checkWhole } from './items.ts';

/** How the gateway is reached: by its Unix socket, or by a loopback address. */
export type GatewayPlace =
  | { readonly socketPath: string; readonly baseUrl?: undefined }
  | { readonly baseUrl: string; readonly socketPath?: undefined };

export type SharedBufferOptions = GatewayPlace &
  Pick<ClientOptions, 'token' | 'headers' | 'retries' | 'retryDelayMs'> & {
    /** Bytes of the buffer. */
    readonly byteSize: number;
    /** Name of the buffer at the gateway; a new one by default. */
    readonly name?: string | undefined;
    /**
     * Shared memory of another program, such as `/memcache-weights`, which that program removes. By default
     * the buffer creates memory and removes it.
     */
    readonly shmKey?: string | undefined;
    /** Where the buffer begins in the memory of `shmKey`; 0 by default. */
    readonly offset?: number | undefined;
    /** The gateway removes the buffer after this time; without it, when this process ends. */
    readonly ttlMs?: number | undefined;
    /** Limit of each call with its retries, in ms; 60,000 by default. */
    readonly timeoutMs?: number | undefined;
  };

const CLIENT = ['baseUrl', 'token', 'headers', 'retries', 'retryDelayMs'];
const BUFFER = ['byteSize', 'name', 'shmKey', 'offset', 'ttlMs', 'timeoutMs'];
const NAME = /^[\w-][\w.-]{0,127}$/;
const SHM_KEY = /^\/[^/\0]{1,255}$/;
const MAX_TIMER_MS = 2 ** 31 - 1;

export function checkSharedBufferOptions(options: unknown): void {
  checkOptions(options ?? null, ['socketPath', ...CLIENT, ...BUFFER]);
  const given = options as Record<string, unknown>;
  const { socketPath, baseUrl, name, shmKey, offset } = given;
  if ((socketPath === undefined) === (baseUrl === undefined)) {
    refuse('options', 'must have either socketPath or baseUrl');
  }
  if (socketPath !== undefined && (typeof socketPath !== 'string' || socketPath === '')) {
    refuse('options.socketPath', `must be the path of a socket, not ${kindOf(socketPath)}`);
  }
  const client = Object.fromEntries(CLIENT.map((option) => [option, given[option]]));
  checkClientOptions({ ...client, baseUrl: baseUrl ?? '' });
  checkWhole(given['byteSize'], 'options.byteSize', 1);
  if (name !== undefined && (typeof name !== 'string' || !NAME.test(name))) {
    refuse(
      'options.name',
      "must have 1 to 128 letters, digits, '.', '_' and '-', and not begin with '.'",
    );
  }
  if (shmKey !== undefined && (typeof shmKey !== 'string' || !SHM_KEY.test(shmKey))) {
    refuse('options.shmKey', "must begin with '/' and have no other");
  }
  if (offset !== undefined) {
    if (shmKey === undefined) refuse('options.offset', 'needs options.shmKey');
    checkWhole(offset, 'options.offset', 0);
  }
  checkTime(given['ttlMs'], 'options.ttlMs');
  checkTime(given['timeoutMs'], 'options.timeoutMs');
}

function checkTime(value: unknown, name: string): void {
  if (value === undefined) return;
  checkWhole(value, name, 1);
  if (value > MAX_TIMER_MS) refuse(name, `must be at most ${MAX_TIMER_MS}, not ${value}`);
}
