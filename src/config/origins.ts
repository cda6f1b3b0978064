/** The two forms of the places to listen on, and places of which one is another, or a part of it. */
import net from 'node:net';
import { canonicalHost, isIPv6 } from '../engine-config/host-text.ts';
import { type ListenAddress, writeListenAddress } from './listen.ts';
import type { SettingName } from './table.ts';

const shortForm: readonly SettingName[] = ['host', 'port'];

/** The settings of the other form: `--listen`, or `--host` and `--port`. */
export function otherFormOf(name: SettingName): readonly SettingName[] {
  if (name === 'listen') return shortForm;
  return shortForm.includes(name) ? ['listen'] : [];
}

/** The fault of `--listen` beside its short form, which could add a place or be replaced. */
export function shortFormFault(origins: ReadonlyMap<SettingName, string>): string | undefined {
  const listen = origins.get('listen');
  const short = shortForm.flatMap((name) => origins.get(name) ?? []);
  if (listen === undefined || short.length === 0) return undefined;
  return `${listen}: given together with ${short.join(' and ')}, the short form for a single place; add that place as another --listen, or remove it (an empty variable counts as absent)`;
}

/** Names are looked up at the start only (listeners.ts), so two names of one address are not found here. */
export function sharedPlaceFault(listen: readonly ListenAddress[]): string | undefined {
  // Port 0 is another free port each time.
  const places = listen.filter((place) => 'path' in place || place.port !== 0).map(canonical);
  const texts = places.map(writeListenAddress);
  const twice = new Set(texts.filter((text, index) => texts.indexOf(text) !== index));
  const parts = places.flatMap((place) => {
    const whole = places.find((other) => isPart(place, other));
    if (whole === undefined) return [];
    return `${writeListenAddress(place)} is a part of ${writeListenAddress(whole)}`;
  });
  const faults = twice.size === 0 ? [] : [`${[...twice].join(', ')} is given more than once`];
  if (parts.length > 0) faults.push(`${[...new Set(parts)].join(', ')}; remove one of the two`);
  return faults.length === 0 ? undefined : faults.join('; ');
}

/** Without its prefix, since a port serves either plain HTTP or TLS. */
function canonical(place: ListenAddress): ListenAddress {
  return 'path' in place ? place : { host: canonicalHost(place.host), port: place.port };
}

/** `[::]` beside IPv4 addresses takes those of IPv6 alone. */
function isPart(place: ListenAddress, whole: ListenAddress): boolean {
  if ('path' in place || 'path' in whole || place.port !== whole.port) return false;
  if (place.host === whole.host) return false;
  return (
    (whole.host === '0.0.0.0' && net.isIPv4(place.host)) ||
    (whole.host === '::' && isIPv6(place.host))
  );
}
