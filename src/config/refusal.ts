const configurationFault = 2;

/** Writes all faults to stderr, each with its correction; returns the exit code. */
export function refuse(faults: readonly string[]): number {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  const list = faults.map((fault) => `  - ${fault.replaceAll('\n', '\n    ')}\n`).join('');
  process.stderr.write(`memcache-gateway: ${count} in the configuration:\n${list}`);
  return configurationFault;
}
