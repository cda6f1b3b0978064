/** The flags of the gateway that all suites in this folder share. */
export const gatewayFlags = ['--access-log', '--layout', 'pair=3x2'] as const;
