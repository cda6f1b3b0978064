/** `memcache-gateway check-ready`: whether the gateway with the same settings is ready. */
import type { Config } from '../../config/config.ts';
import { parseCommandLine } from '../../config/flags.ts';
import { type ListenAddress, placesOf, schemeOf } from '../../config/listen.ts';
import { refuse } from '../../config/refusal.ts';
import { readConfig } from '../../config/settings-file.ts';
import { checkReadyHelp } from './help.ts';
import { requestReady } from './request-ready.ts';

/** Runs the command of `argv`, which follows the word `check-ready`; resolves with the exit code. */
export async function runCheckReadyCommand(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  version: string,
): Promise<number> {
  const line = parseCommandLine(argv);
  if (line.command === 'help' || line.command === 'version') {
    process.stdout.write(line.command === 'help' ? checkReadyHelp : `${version}\n`);
    return 0;
  }
  const interpreted = await readConfig(line, env);
  if ('faults' in interpreted) return refuse(interpreted.faults);
  const place = placeToAsk(interpreted.config);
  if (place === undefined) {
    return refuse(['--port: check-ready needs the number of a port; 0 stands for any free one']);
  }
  const { ready, text } = await requestReady(place);
  (ready ? process.stdout : process.stderr).write(`${text}\n`);
  return ready ? 0 : 1;
}

/**
 * The first place that clients use, because its `/readyz` also tries the engine. Each connection of a
 * proxy begins with a header, which this command does not send: with `--proxy-protocol` a place of `admin:`
 * comes first, because it expects none.
 */
export function placeToAsk(config: Config): ListenAddress | undefined {
  const places = placesOf(config).filter((place) => 'path' in place || place.port !== 0);
  const isFirst = (place: ListenAddress) => (schemeOf(place) === 'admin') === config.proxyProtocol;
  return places.find(isFirst) ?? places[0];
}
