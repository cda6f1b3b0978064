/** The packages as a newcomer gets them: packed, and installed in an empty folder. */
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { run, startGateway } from './processes.mjs';

/** Installs both packages of a checkout from their tarballs; resolves with the folder of the project. */
export async function installPackages(home, work) {
  const project = path.join(work, 'project');
  fs.mkdirSync(project);
  fs.writeFileSync(path.join(project, 'package.json'), '{ "private": true }\n');
  const npm = (cwd, ...args) => run(['npm', ...args], { cwd, env: process.env });
  for (const folder of ['', 'packages/client']) {
    await npm(path.join(home, folder), 'pack', '--silent', '--pack-destination', work);
  }
  const tarballs = fs.readdirSync(work).filter((name) => name.endsWith('.tgz'));
  const files = tarballs.map((name) => path.join('..', name));
  await npm(project, 'install', '--prefer-offline', '--foreground-scripts', ...files);
  return project;
}

/** Starts the installed command, and stores and reads an object. */
export async function playPackage(project, say) {
  const gateway = await startGateway('npx --offline memcache-gateway', {
    cwd: project,
    env: { GATEWAY_PORT: '0' },
  });
  try {
    const url = `http://127.0.0.1:${gateway.port}/v1/objects/kv/packed`;
    const value = Buffer.from([0, 255, 10, 13, 128]);
    const put = await fetch(url, { method: 'PUT', body: value });
    if (put.status !== 201) throw new Error(`PUT: ${put.status} ${await put.text()}`);
    const get = await fetch(url);
    const read = Buffer.from(await get.arrayBuffer());
    if (!read.equals(value)) throw new Error(`GET: ${get.status} ${read}`);
    say('the installed package: npx memcache-gateway serves a PUT and a GET');
  } finally {
    await gateway.stop();
  }
}
