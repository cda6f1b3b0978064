import { JsonReader } from '../../codecs/json/json-reader.ts';
import { noteMember, unknownMember } from '../../codecs/json/json-request.ts';
import type { Config } from '../../config/config.ts';
import { logLevels } from '../../config/setting.ts';
import { JSON_TYPE, requireAcceptable } from '../../http/request/media-type.ts';
import { parseQuery, printable } from '../../http/request/query.ts';
import { respondJson } from '../../http/response/respond.ts';
import { withJson } from '../batch/batch-request.ts';
import type { Handler } from '../handler.ts';

type LogLevel = Config['logLevel'];

export interface LogLevels {
  /** Of this worker. */
  readonly logLevel: () => LogLevel;
  /** Sets the log level of all processes. The workers of the devices that it returns have not confirmed it. */
  readonly setLogLevel: (
    level: LogLevel,
  ) => Promise<{ readonly pendingDevices: readonly number[] }>;
}

/** GET /v1/admin/log-level. */
export const readLogLevel =
  ({ logLevel }: Pick<LogLevels, 'logLevel'>): Handler =>
  (exchange) => {
    parseQuery(exchange.query, []);
    requireAcceptable(exchange.req, JSON_TYPE);
    respondJson(exchange, { level: logLevel() });
  };

/** PUT /v1/admin/log-level. 202 if a ready worker has not confirmed the level in time. */
export const writeLogLevel =
  (
    { setLogLevel }: Pick<LogLevels, 'setLogLevel'>,
    noResponse: (cause: unknown) => never,
  ): Handler =>
  (exchange) => {
    parseQuery(exchange.query, []);
    requireAcceptable(exchange.req, JSON_TYPE);
    return withJson(exchange, async (text) => {
      const level = await readLevel(text);
      const { pendingDevices } = await setLogLevel(level).catch(noResponse);
      if (pendingDevices.length === 0) respondJson(exchange, { level });
      else respondJson(exchange, { level, pendingDevices }, 202);
    });
  };

async function readLevel(text: Buffer): Promise<LogLevel> {
  const reader = await JsonReader.open(text, 'The body');
  const members = new Set<string>();
  let level: LogLevel | undefined;
  await reader.object((name) => {
    if (name !== 'level') throw unknownMember(reader, name, 'level');
    noteMember(reader, members, name);
    const word = reader.string();
    level = logLevels.find((known) => known === word);
    if (level !== undefined) return;
    throw reader.fault(`has "${printable(word)}" as "level" (known: ${logLevels.join(', ')})`);
  });
  await reader.end();
  if (level === undefined) throw reader.fault('has no member "level"');
  return level;
}
