/** The three addresses in the meta service's configuration file: for clients, for their start, and HTTP. */
import net from 'node:net';
import { type Line, type Lines, notA, type Report } from './engine-file-lines.ts';
import { canonicalHost, isNameOrIPv4, isPlainIPv6 } from './host-text.ts';
import { configStoreUrlKey, metricsUrlKey, serviceUrlKey } from './meta-config-keys.ts';

export interface MetaAddresses {
  readonly serviceUrl: string;
  readonly healthUrl: string;
}

interface Address {
  readonly key: string;
  readonly line: Line | undefined;
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}

const leastPort = 1025;
const maxPort = 65_535;

/** Each key with its meaning if absent. */
const assumed = [
  { key: serviceUrlKey, scheme: 'tcp', port: 5000, schemes: ['tcp'] },
  { key: configStoreUrlKey, scheme: 'tcp', port: 6000, schemes: ['tcp'] },
  // 1.0.x documents it without a scheme; newer versions also accept https.
  { key: metricsUrlKey, scheme: 'http', port: 8000, schemes: ['http', 'https', ''] },
] as const;

export function readMetaAddresses(lines: Lines, report: Report): MetaAddresses {
  const addresses = assumed.map((one) => readAddress(one, lines.get(one.key), report));
  addresses.forEach((address, index) => {
    reportShared(address, addresses.slice(0, index), report);
  });
  const [service, , metrics] = addresses;
  return {
    serviceUrl: service === undefined ? '' : textOf(service),
    healthUrl: metrics === undefined ? '' : `${textOf(reachable(metrics))}/health`,
  };
}

function readAddress(
  { key, scheme, port, schemes }: (typeof assumed)[number],
  line: Line | undefined,
  report: Report,
): Address | undefined {
  const usual = { key, line, scheme, host: '127.0.0.1', port };
  if (line === undefined) return usual;
  const match = /^(?:([a-z]+):\/\/)?(\[[\da-f:.]+\]|[a-z\d._-]+):(\d{1,5})\/?$/i.exec(line.value);
  const [, given = '', host = '', digits = ''] = match ?? [];
  const number = Number(digits);
  const inRange = number >= leastPort && number <= maxPort;
  if (match === null || !schemes.some((one) => one === given.toLowerCase())) {
    const wanted = `${schemes.filter(Boolean).join(' or ')}://HOST:PORT`;
    report(line, notA(wanted, line.value), `${key} = ${textOf(usual)}`);
  } else if (!isHost(host)) {
    const change = textOf(inRange ? { ...usual, port: number } : usual);
    report(line, `'${host}' is neither an address nor a name`, `${key} = ${change}`);
  } else if (!inRange) {
    const problem = `the port must be ${leastPort} to ${maxPort}`;
    report(line, problem, `${key} = ${textOf({ ...usual, host })}`);
  } else {
    return { key, line, scheme: given.toLowerCase() || scheme, host, port: number };
  }
  return undefined;
}

function isHost(host: string): boolean {
  const [, bracketed] = /^\[(.*)\]$/.exec(host) ?? [];
  return bracketed === undefined ? isNameOrIPv4(host) : isPlainIPv6(bracketed);
}

/** Two servers of one process cannot listen on one port. */
function reportShared(
  address: Address | undefined,
  earlier: readonly (Address | undefined)[],
  report: Report,
): void {
  const other = earlier.find((one) => one !== undefined && overlap(one, address));
  if (address === undefined || other === undefined) return;
  // A default is not in the file, so it cannot be changed there.
  const blamed = address.line === undefined ? other : address;
  const taken = [...earlier, address].map((one) => one?.port);
  let port = address.port + 1;
  while (taken.includes(port) || port > maxPort) port = port >= maxPort ? leastPort : port + 1;
  const both = blamed === address ? other : address;
  const problem = `${both.key} has the same port, ${address.port}`;
  report(blamed.line, problem, `${blamed.key} = ${textOf({ ...blamed, port })}`);
}

function overlap(one: Address, other: Address | undefined): boolean {
  if (one.port !== other?.port) return false;
  return (
    canonicalHost(one.host) === canonicalHost(other.host) || isAny(one.host) || isAny(other.host)
  );
}

const isAny = (host: string) => ['0.0.0.0', '::'].includes(canonicalHost(host));

/** For an address that means all addresses of the machine, the loopback address is used. */
function reachable(address: Address): Address {
  if (!isAny(address.host)) return address;
  return { ...address, host: net.isIPv4(address.host) ? '127.0.0.1' : '[::1]' };
}

function textOf({ scheme, host, port }: Pick<Address, 'scheme' | 'host' | 'port'>): string {
  return `${scheme}://${host}:${port}`;
}
