/** A real Prometheus with a folder and a port of its own. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../process/meta-service.ts';
import { until } from '../process/until.ts';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Prometheus {
  /** The result of a query now; of a scalar or a vector. */
  query(expression: string): Promise<readonly Sample[]>;
  /** A member of the API, for example `metadata`. */
  api(name: string): Promise<unknown>;
  stop(): Promise<void>;
}

/** Fails with the package to install. */
function requireCommands(): void {
  for (const command of ['prometheus', 'promtool']) {
    if (spawnSync(command, ['--version']).error === undefined) continue;
    throw new Error(
      `no command ${command}: install Debian's package prometheus (apt-get install prometheus), which has prometheus and promtool`,
    );
  }
}

/** Starts one with this configuration, which is YAML, or JSON as a part of it. */
export async function startPrometheus(config: string): Promise<Prometheus> {
  requireCommands();
  const folder = mkdtempSync(path.join(tmpdir(), 'prometheus-'));
  const file = path.join(folder, 'prometheus.yml');
  writeFileSync(file, config);
  const address = `127.0.0.1:${await freePort()}`;
  const args = [
    ...[`--config.file=${file}`, `--storage.tsdb.path=${path.join(folder, 'data')}`],
    ...[`--web.listen-address=${address}`, '--log.level=warn'],
  ];
  const child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'exit');
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`prometheus ended before it was ready\n${output}`);
    const response = await fetch(`http://${address}/-/ready`).catch(() => undefined);
    return response?.ok === true;
  };
  const api = async (name: string): Promise<unknown> => {
    const response = await fetch(`http://${address}/api/v1/${name}`);
    const { data, error } = (await response.json()) as { data?: unknown; error?: string };
    if (error !== undefined) throw new Error(`${name}: ${error}`);
    return data;
  };
  const stop = async () => {
    kill();
    await ended;
    process.off('exit', kill);
    rmSync(folder, { recursive: true });
  };
  try {
    await until(isReady, { what: 'Prometheus is ready' });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    api,
    stop,
    async query(expression) {
      const { result } = (await api(`query?query=${encodeURIComponent(expression)}`)) as {
        result: { metric: Record<string, string>; value: [number, string] }[];
      };
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
  };
}

/** Fails with what `promtool check metrics` finds in a scrape. */
export function checkMetrics(text: string): void {
  promtool(['check', 'metrics'], text);
}

/** Fails with what `promtool check config` finds in a configuration. */
export function checkConfig(text: string): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'promtool-'));
  const file = path.join(folder, 'prometheus.yml');
  writeFileSync(file, text);
  try {
    promtool(['check', 'config', file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Fails with what `promtool check rules` finds in a file, and then with each of its tests that fails. */
export function checkRules(file: string, tests: string): void {
  promtool(['check', 'rules', file]);
  promtool(['test', 'rules', tests]);
}

function promtool(args: readonly string[], input = ''): void {
  requireCommands();
  try {
    execFileSync('promtool', args, { input, stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`promtool ${args.join(' ')}\n${stdout}${stderr}`);
  }
}
