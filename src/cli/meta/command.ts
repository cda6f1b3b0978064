/** `memcache-gateway meta`: the engine's meta service in the foreground, checked, watched and stopped. */
import { refuse } from '../../config/refusal.ts';
import { EngineFileError } from '../../engine-config/engine-file.ts';
import { type MetaConfig, readMetaConfig } from '../../engine-config/meta-config.ts';
import type { EarlySignals } from '../early-signals.ts';
import { createAnnouncer, outliveReaders } from './announcement.ts';
import { type MetaCommandLine, type MetaSettings, parseMetaCommandLine } from './command-line.ts';
import { findProgram } from './find-program.ts';
import { metaHelp } from './help.ts';
import { runService } from './run-service.ts';

const notNeeded =
  'The embedded engine needs no meta service: start the gateway alone. For the distributed engine, name its library with --engine PATH (GATEWAY_ENGINE), or the service itself with --bin PATH.';

/** Runs the command of `argv`, which follows the word `meta`; resolves with the exit code. */
export async function runMetaCommand(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  { version, signals }: { readonly version: string; readonly signals: EarlySignals },
): Promise<number> {
  const line = parseMetaCommandLine(argv, env);
  if (line.command !== 'start') signals.handOver();
  if (line.command === 'help' || line.command === 'version') {
    process.stdout.write(line.command === 'help' ? metaHelp : `${version}\n`);
    return 0;
  }
  if (line.faults.length === 0 && line.settings?.engine === 'embedded' && line.bin === undefined) {
    process.stdout.write(`${notNeeded}\n`);
    return 0;
  }
  const checked = check(line, env);
  if ('faults' in checked) return refuse(checked.faults);
  const { file, config, settings } = checked;
  const announcer = createAnnouncer(settings.logFormat);
  if (line.command === 'check-config') {
    for (const warning of config.warnings) process.stderr.write(`warning: ${warning}\n`);
    const { path, serviceUrl, healthUrl } = config;
    const lines = [
      `program        ${file}`,
      `configuration  ${path}`,
      `service        ${serviceUrl}`,
    ];
    process.stdout.write(`${[...lines, `health         ${healthUrl}`].join('\n')}\n`);
    return 0;
  }
  outliveReaders();
  for (const warning of config.warnings) announcer.warn(warning);
  return runService({ file, config, announcer, signals });
}

type Checked =
  | { readonly file: string; readonly config: MetaConfig; readonly settings: MetaSettings }
  | { readonly faults: readonly string[] };

/** All faults at once: of the command line, of the program, of its configuration. */
function check({ bin, settings, faults }: MetaCommandLine, env: NodeJS.ProcessEnv): Checked {
  const all = [...faults];
  // With a faulty --engine the folder of the program is unknown.
  const engine = settings?.engine ?? 'embedded';
  const search = settings !== undefined || bin !== undefined;
  const found = search ? findProgram({ bin, engine, searchPath: env['PATH'] }) : undefined;
  if (found !== undefined && 'fault' in found) all.push(found.fault);
  try {
    const config = readMetaConfig(env['MMC_META_CONFIG_PATH']);
    if (all.length === 0 && settings !== undefined && found !== undefined && 'file' in found) {
      return { file: found.file, config, settings };
    }
  } catch (error) {
    if (!(error instanceof EngineFileError)) throw error;
    all.push(...error.texts);
  }
  return { faults: all };
}
