/** Where to listen, which can be said in two forms; and places of which one is the other, or a part of it. */
import net from 'node:net';
import { type ListenAddress, writeListenAddress } from './config-listen.ts';
import type { SettingName } from './config-table.ts';
import { canonicalHost } from './native/host-text.ts';

const shortForm: readonly SettingName[] = ['host', 'port'];

/** The settings that say the same in the other form: `--listen`, or `--host` and `--port`. */
export function otherFormOf(name: SettingName): readonly SettingName[] {
  if (name === 'listen') return shortForm;
  return shortForm.includes(name) ? ['listen'] : [];
}

/** `--listen` and its short form beside it: whether the short form adds a place or is replaced, who knows? */
export function shortFormFault(origins: ReadonlyMap<SettingName, string>): string | undefined {
  const listen = origins.get('listen');
  const short = shortForm.flatMap((name) => origins.get(name) ?? []);
  if (listen === undefined || short.length === 0) return undefined;
  return `${listen}: given together with ${short.join(' and ')}, the short form for a single place; make that one more --listen, or leave it out (an empty variable counts as absent)`;
}

/** What names are is not known before they are looked up, which the start does (pool/listeners.ts). */
export function sharedPlaceFault(listen: readonly ListenAddress[]): string | undefined {
  // Each free port is another one.
  const places = listen.filter((place) => 'path' in place || place.port !== 0).map(canonical);
  const texts = places.map(writeListenAddress);
  const twice = new Set(texts.filter((text, index) => texts.indexOf(text) !== index));
  const parts = places.flatMap((place) => {
    const whole = places.find((other) => isPart(place, other));
    if (whole === undefined) return [];
    return `${writeListenAddress(place)} is a part of ${writeListenAddress(whole)}`;
  });
  const faults = twice.size === 0 ? [] : [`${[...twice].join(', ')} is given more than once`];
  if (parts.length > 0) faults.push(`${[...new Set(parts)].join(', ')}; leave one of the two out`);
  return faults.length === 0 ? undefined : faults.join('; ');
}

function canonical(place: ListenAddress): ListenAddress {
  return 'path' in place ? place : { ...place, host: canonicalHost(place.host) };
}

/** `[::]` beside IPv4 addresses takes those of IPv6 alone. */
function isPart(place: ListenAddress, whole: ListenAddress): boolean {
  if ('path' in place || 'path' in whole || place.port !== whole.port) return false;
  if (place.host === whole.host) return false;
  return (
    (whole.host === '0.0.0.0' && net.isIPv4(place.host)) ||
    (whole.host === '::' && net.isIPv6(place.host))
  );
}
