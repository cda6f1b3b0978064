/**
 * A reporter of node:test that lists the skipped tests with their reasons at the end. It runs together
 * with another reporter for everything else.
 */
export default async function* skipSummary(events) {
  const namesByReason = new Map();
  for await (const { type, data } of events) {
    if (type !== 'test:pass' || data.skip === undefined || data.skip === false) continue;
    const reason =
      typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'no reason given';
    namesByReason.set(reason, [...(namesByReason.get(reason) ?? []), data.name]);
  }
  yield summaryOf(namesByReason);
}

function summaryOf(namesByReason) {
  if (namesByReason.size === 0) return '\nNo test was skipped.\n';
  const lines = ['', 'Skipped:'];
  for (const [reason, names] of namesByReason) {
    lines.push(`  ${reason}`, ...names.map((name) => `    - ${name}`));
  }
  return `${lines.join('\n')}\n`;
}
