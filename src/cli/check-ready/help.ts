/** The help of `memcache-gateway check-ready`, at most 80 columns wide. */
export const checkReadyHelp = `Usage: memcache-gateway check-ready [--flag value]...

Requests /readyz of the gateway that runs on this host, or in this container,
with the same settings. The flags, the variables and the settings file are those
of the gateway; see memcache-gateway --help. Of several addresses it requests
the first that is not admin:. With --proxy-protocol an admin: address comes
first. On a tls: address it does not verify the certificate.

Exit code: 0 if the gateway is ready; 1 if it is not ready, or does not respond
within 4 s; 2 for a fault in the settings.
`;
