/** The flags of the gateway that all suites in this folder share. */
export const gatewayFlags = [
  '--access-log',
  ...['--layout', 'pair=3x2'],
  // Two objects of 64 MiB.
  ...['--pool-bytes', '160MiB', '--arena-bytes', '160MiB'],
] as const;
