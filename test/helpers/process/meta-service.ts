/** A fake of the engine's meta service: it serves /health, and its environment controls it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';

/**
 * It prints each signal, and ends as the real one does, with FAKE_EXIT on SIGTERM or SIGINT (and SIGQUIT);
 * with FAKE_STUBBORN it only prints. It is in service once the file FAKE_READY exists, if that is set.
 */
const program = `#!${process.execPath}
const { existsSync, readFileSync } = require('node:fs');
const conf = readFileSync(process.env.MMC_META_CONFIG_PATH, 'utf8');
const port = Number(/metrics_url *= *\\S+:(\\d+)/.exec(conf)[1]);
const { FAKE_EXIT, FAKE_STUBBORN, FAKE_READY, FAKE_END } = process.env;
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']) {
  process.on(signal, () => {
    console.log('reported ' + signal);
    if (!FAKE_STUBBORN) process.exit(Number(FAKE_EXIT ?? 0));
  });
}
console.error('on stderr');
if (FAKE_END) process.kill(process.pid, FAKE_END);
require('node:http').createServer((request, response) => {
  const ready = !FAKE_READY || existsSync(FAKE_READY);
  response.end(JSON.stringify({ status: 'ok', service_ready: ready }));
}).listen(port, '127.0.0.1', () => console.log('serving ' + process.pid));
`;

/** Writes it as \`mmc_meta_service\` into a folder, which it creates; returns its path. */
export function writeMetaService(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'mmc_meta_service');
  writeFileSync(file, program, { mode: 0o755 });
  return file;
}

/** Returns a port on which no program listens now. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
