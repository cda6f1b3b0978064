/** Runs the command of the command line. Exit codes: 0, 1, or 2 for a fault in the configuration. */
import { readFileSync } from 'node:fs';
import { findFileFaults } from '../config/files.ts';
import { checkReadyCommand, metaCommand, parseCommandLine, tokenCommand } from '../config/flags.ts';
import { refuse } from '../config/refusal.ts';
import { readConfig } from '../config/settings-file.ts';
import { packageFile } from '../os/package-files.ts';
import type { EarlySignals } from './early-signals.ts';

/**
 * Runs the command of `argv`; resolves with the exit code, for a server when it has stopped. `program` is
 * the URL of the program's entry, as built or as source.
 */
export async function runCommandLine(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  signals: EarlySignals,
  program: string,
): Promise<number> {
  const other = await runOtherCommand(argv, env, signals);
  if (other !== undefined) return other;
  const line = parseCommandLine(argv);
  // Every command but the server ends by a signal.
  if (line.command !== 'start') signals.handOver();
  if (line.command === 'help') {
    const { helpText } = await import('../config/help.ts');
    process.stdout.write(helpText());
    return 0;
  }
  const version = readVersion();
  if (line.command === 'version') {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const interpreted = await readConfig(line, env);
  if ('faults' in interpreted) return refuse(interpreted.faults, interpreted.warnings);
  const { origins } = interpreted;
  const files = await findFileFaults(interpreted.config, env, origins);
  const config = { ...interpreted.config, poolBytes: files.poolBytes };
  const warnings = [...interpreted.warnings, ...files.warnings];
  const faults = [...files.faults];
  if (line.command === 'check-config' && faults.length === 0) {
    const { libraryFault } = await import('./library-check.ts');
    const fault = await libraryFault(config, program);
    if (fault !== undefined) faults.push(`--engine: ${fault}`);
  }
  if (faults.length > 0) return refuse(faults, warnings);
  if (line.command === 'check-config') {
    const { effectiveText } = await import('../config/help.ts');
    for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
    process.stdout.write(effectiveText(config, origins));
    return 0;
  }
  const { startGateway } = await import('./serve.ts');
  return startGateway({
    config,
    origins,
    reread: async () => {
      const again = await readConfig(line, env);
      if ('faults' in again || again.config.poolBytes !== interpreted.config.poolBytes)
        return again;
      return { ...again, config: { ...again.config, poolBytes: config.poolBytes } };
    },
    version,
    program,
    warnings,
    reserve: files.reserve,
    tokenFile: files.tokens,
    tls: files.tls,
    signals,
  });
}

/** The commands with flags of their own; undefined for the gateway itself. */
async function runOtherCommand(
  [word, ...rest]: readonly string[],
  env: NodeJS.ProcessEnv,
  signals: EarlySignals,
): Promise<number | undefined> {
  if (word === metaCommand) {
    const { runMetaCommand } = await import('./meta/command.ts');
    return runMetaCommand(rest, env, { version: readVersion(), signals });
  }
  if (word !== tokenCommand && word !== checkReadyCommand) return undefined;
  signals.handOver();
  if (word === checkReadyCommand) {
    const { runCheckReadyCommand } = await import('./check-ready/command.ts');
    return runCheckReadyCommand(rest, env, readVersion());
  }
  const { runTokenCommand } = await import('./token/command.ts');
  return runTokenCommand(rest, env, readVersion());
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
