/** Why handshakes fail: few words, which a metric has as labels. */
export const handshakeFaults = [
  'plain_http',
  'protocol_version',
  'cipher',
  'application_protocol',
  'certificate_refused',
  'closed',
  'timeout',
  'other',
] as const;

export type HandshakeFault = (typeof handshakeFaults)[number];

/** The codes of Node and OpenSSL; every alert of the client about our certificate begins alike. */
const patterns: readonly (readonly [RegExp, HandshakeFault])[] = [
  [/^ERR_SSL_(HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/, 'plain_http'],
  [
    /^ERR_SSL_(UNSUPPORTED_PROTOCOL|WRONG_VERSION_NUMBER|VERSION_TOO_LOW|.*ALERT_PROTOCOL_VERSION)$/,
    'protocol_version',
  ],
  [/^ERR_SSL_(NO_SHARED_CIPHER|NO_SUITABLE_.*|NO_SHARED_.*)$/, 'cipher'],
  [/^ERR_SSL_NO_APPLICATION_PROTOCOL$/, 'application_protocol'],
  [/_ALERT_((BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_.*|UNKNOWN_CA)$/, 'certificate_refused'],
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, 'timeout'],
  [/^(ECONNRESET|EPIPE|ECONNABORTED)$/, 'closed'],
];

/** The reason of an error in a handshake. */
export function handshakeFaultOf({
  code = '',
}: Error & { readonly code?: string }): HandshakeFault {
  return patterns.find(([pattern]) => pattern.test(code))?.[1] ?? 'other';
}
