#!/usr/bin/env node
// The program's entry. It imports nothing before it has looked at Node's version, since an older
// Node would show a syntax error of some module instead of what to do.
const oldest = 20;
const role = 'worker';

async function main(): Promise<number | undefined> {
  const argv = process.argv.slice(2);
  if (argv[0] === role && process.connected) {
    const { becomeWorker } = await import('./worker.ts');
    becomeWorker();
    return undefined;
  }
  const { holdSignals } = await import('./early-signals.ts');
  const signals = holdSignals();
  const { runCommandLine } = await import('./cli.ts');
  return runCommandLine(argv, process.env, signals);
}

if (Number(process.versions.node.split('.')[0]) < oldest) {
  process.stderr.write(
    `memcache-gateway needs Node ${oldest} or newer; this is ${process.version} (${process.execPath})\n`,
  );
  process.exitCode = 1;
} else {
  const code = await main();
  // A server that has ended waits for no timer or socket that is left.
  if (code !== undefined) process.exit(code);
}

export {};
