const configurationFault = 2;

/** Writes all warnings and faults to stderr, each with its correction; returns the exit code. */
export function refuse(faults: readonly string[], warnings: readonly string[] = []): number {
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  const list = faults.map((fault) => `  - ${fault.replaceAll('\n', '\n    ')}\n`).join('');
  process.stderr.write(`memcache-gateway: ${count} in the configuration:\n${list}`);
  return configurationFault;
}
