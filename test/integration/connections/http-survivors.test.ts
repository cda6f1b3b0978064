import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';

const recorder = new URL('../../fixtures/minor-collections.mjs', import.meta.url);
const CLIENTS = 32;
/** The first ones let V8 compile the code, and decide where it allocates. */
const WARMING = 15;
const COLLECTIONS = 30;

interface Collection {
  readonly young: number;
  readonly survived: number;
}

describe('clients that open a connection for each request', { timeout: 180_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'survivors-'));
  const file = path.join(folder, 'collections');
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway({
      env: { NODE_OPTIONS: `--import ${fileURLToPath(recorder)}`, MINOR_COLLECTIONS: file },
    });
    await fetch(`${gateway.url}/v1/objects/a`, { method: 'PUT', body: 'x'.repeat(1024) });
  });
  after(async () => {
    await gateway.kill();
    rmSync(folder, { recursive: true });
  });

  const request = 'GET /v1/objects/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const once = () =>
    new Promise<void>((resolve, reject) => {
      const socket = net.connect(gateway.port, '127.0.0.1', () => void socket.write(request));
      socket.on('error', reject).on('close', () => resolve());
      socket.resume();
    });

  function collections(): Collection[] {
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Collection);
  }

  it('leave few objects behind in a minor collection', async () => {
    let isEnough = false;
    const client = async () => {
      while (!isEnough) {
        for (let turn = 0; turn < 100; turn += 1) await once();
        isEnough = collections().length >= WARMING + COLLECTIONS;
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    const measured = collections().slice(WARMING);
    const total = (of: keyof Collection) => measured.reduce((sum, one) => sum + one[of], 0);
    const share = total('survived') / total('young');
    // About 0.1; about 0.5 when closed connections wait for a full collection.
    assert.ok(share < 0.25, `${share} of the bytes survived`);
  });
});
