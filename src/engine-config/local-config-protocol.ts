/** The transport protocol in the engine's configuration file, and the settings that depend on it. */
import { editDistance } from './edit-distance.ts';
import { type Lines, notA, type Report, type Warn } from './engine-file-lines.ts';
import { commonProtocols, protocolKey, protocolsOf12 } from './local-config-keys.ts';
import { type MediumSizes, sizeKey } from './local-config-sizes.ts';

/**
 * An unknown protocol is a fault if it looks like a misspelt known one; otherwise it causes a warning,
 * because a later version may have it. The protocol decides whether a client may contribute nothing.
 */
export function judgeProtocol(
  lines: Lines,
  dram: MediumSizes | undefined,
  hbm: MediumSizes | undefined,
  report: Report,
  warn: Warn,
): void {
  const line = lines.get(protocolKey);
  const known = [...commonProtocols, ...protocolsOf12];
  if (line !== undefined && !known.includes(line.value)) {
    const meant = known.find((name) => editDistance(name, line.value.toLowerCase()) <= 2);
    const problem = notA(`known protocol (${known.join(', ')})`, line.value);
    if (meant === undefined && line.value !== '') warn(line, problem);
    else report(line, problem, `${protocolKey} = ${meant ?? 'host_tcp'}`);
  }
  const sized = lines.get(sizeKey('dram'));
  if (line?.value === 'host_shm' && dram?.ownBytes === 0) {
    report(sized, 'host_shm needs DRAM from every client', `${sizeKey('dram')} = 1GB`);
  } else if (line?.value === 'host_shm' && hbm !== undefined && hbm.ownBytes > 0) {
    report(lines.get(sizeKey('hbm')), 'host_shm does not support HBM', `${sizeKey('hbm')} = 0`);
  } else if (dram?.ownBytes === 0 && hbm?.ownBytes === 0 && sized !== undefined) {
    if (line !== undefined && protocolsOf12.includes(line.value)) return;
    const hint =
      'a client that contributes neither DRAM nor HBM starts with some protocols of 1.2 only';
    warn(sized, `${hint}; with any other protocol: ${sizeKey('dram')} = 1GB`);
  }
}
