/** The rules between the settings of TLS. */
import type { ListenAddress } from '../listen.ts';
import type { Config } from '../table.ts';
import type { Rule } from './rule.ts';

const schemeOf = (place: ListenAddress) => ('path' in place ? undefined : place.scheme);
const hasTls = ({ listen }: Pick<Config, 'listen'>): boolean =>
  listen.some((place) => schemeOf(place) === 'tls');

export const tlsRules: readonly Rule[] = [
  {
    settings: ['listen', 'tlsCert', 'tlsKey'],
    fault(config) {
      if (!hasTls(config) || (config.tlsCert !== undefined && config.tlsKey !== undefined)) {
        return undefined;
      }
      const missing = [
        ...(config.tlsCert === undefined ? ['--tls-cert FILE'] : []),
        ...(config.tlsKey === undefined ? ['--tls-key FILE'] : []),
      ];
      return `a listener with TLS needs a certificate and its private key; give ${missing.join(' and ')} as well`;
    },
  },
  {
    settings: ['listen'],
    fault({ listen }) {
      const isEmpty = listen.length === 0 || listen.some((place) => schemeOf(place) !== 'admin');
      if (isEmpty) return undefined;
      return 'no listener serves objects, since admin: serves only health and metrics; add an address without admin:, such as 127.0.0.1:8080';
    },
  },
  ...(['tlsCert', 'tlsKey', 'tlsClientCa'] as const).map(
    (name): Rule => ({
      settings: [name, 'listen'],
      fault(config) {
        if (config[name] === undefined || hasTls(config)) return undefined;
        return 'no listener uses TLS; give one as well, such as --listen tls:0.0.0.0:8443, or omit this';
      },
    }),
  ),
  {
    settings: ['tlsClientCa', 'tlsClientScopes'],
    fault({ tlsClientCa, tlsClientScopes }) {
      if (tlsClientCa === undefined || tlsClientScopes.length > 0) return undefined;
      return "no client certificate has a scope; give --tls-client-scopes as well, such as 'CN=name=read,write', or 'CN=*=read' for all certificates";
    },
  },
  {
    settings: ['tlsClientScopes', 'tlsClientCa'],
    fault({ tlsClientCa, tlsClientScopes }) {
      if (tlsClientCa !== undefined || tlsClientScopes.length === 0) return undefined;
      return 'no client certificate is verified; give --tls-client-ca FILE as well, or omit this';
    },
  },
];
