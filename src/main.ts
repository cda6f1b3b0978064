#!/usr/bin/env node
// The program's entry. It imports nothing before it has looked at Node's version, since an older
// Node would show a syntax error of some module instead of this advice.
const oldest = 20;
const role = 'worker';
const checkRole = 'check-library';

async function main(): Promise<number | undefined> {
  const argv = process.argv.slice(2);
  const { descriptorLimit, MIN_DESCRIPTORS, tooFewDescriptors } = await import(
    './os/descriptors.ts'
  );
  const limit = descriptorLimit();
  // With fewer, loading the other modules may fail or hang.
  if (limit !== undefined && limit < MIN_DESCRIPTORS) {
    process.stderr.write(`memcache-gateway: ${tooFewDescriptors(limit, MIN_DESCRIPTORS)}\n`);
    return 1;
  }
  if (argv[0] === role && process.connected) {
    const { becomeWorker } = await import('./worker/become-worker.ts');
    becomeWorker();
    return undefined;
  }
  if (argv[0] === checkRole && process.connected) {
    const { checkLibrary } = await import('./cli/library-check.ts');
    return checkLibrary(argv.slice(1));
  }
  const { holdSignals } = await import('./cli/early-signals.ts');
  const signals = holdSignals();
  const { runCommandLine } = await import('./cli/command-line.ts');
  return runCommandLine(argv, process.env, signals, import.meta.url);
}

if (Number(process.versions.node.split('.')[0]) < oldest) {
  process.stderr.write(
    `memcache-gateway needs Node ${oldest} or newer; this is ${process.version} (${process.execPath})\n`,
  );
  process.exitCode = 1;
} else {
  const code = await main().catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
    process.stderr.write(
      'memcache-gateway: there are not enough file descriptors to start; raise the limit (ulimit -n)\n',
    );
    return 1;
  });
  // After the server has ended, no remaining timer or socket may delay the exit.
  if (code !== undefined) process.exit(code);
}

export {};
