/** Places of one configuration that are the same. Names and links hide that before the start. */
import { realpathSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { isIPv6 } from '../../engine-config/host-text.ts';
import type { PortAddress } from './listener.ts';

export type Place = PortAddress | { readonly path: string };

/** Whether an IPv4 place has the port that all addresses of IPv6, which are also IPv4's, would take. */
export function needsIPv6Only(place: PortAddress, places: readonly Place[]): boolean {
  return place.address === '::' && places.some((other) => hasPort(other, place.port, net.isIPv4));
}

function hasPort(place: Place, port: number, isIP: (address: string) => boolean): boolean {
  return 'port' in place && port !== 0 && place.port === port && isIP(place.address);
}

/** Why a place cannot be opened: another open place of the configuration is the same. */
export function sharedWith(place: Place | undefined, open: readonly Place[]): string | undefined {
  if (place === undefined) return undefined;
  const other = open.find((one) => areOne(place, one));
  if (other === undefined) return undefined;
  return `${textOf(place)} is the same address as ${textOf(other)}, which is also given; remove one of them`;
}

function areOne(place: Place, other: Place): boolean {
  if ('path' in place) return 'path' in other && realPath(place.path) === realPath(other.path);
  const isIP = net.isIPv4(place.address) ? net.isIPv4 : isIPv6;
  if ('path' in other || !hasPort(other, place.port, isIP)) return false;
  const addresses = [place.address, other.address];
  return (
    place.address === other.address || addresses.some((each) => /^(0\.0\.0\.0|::)$/.test(each))
  );
}

/** The last link is the socket's own name. */
function realPath(file: string): string {
  try {
    return path.join(realpathSync(path.dirname(file)), path.basename(file));
  } catch {
    return file;
  }
}

function textOf(place: Place): string {
  if ('path' in place) return `unix:${place.path}`;
  const { host, port } = place;
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
