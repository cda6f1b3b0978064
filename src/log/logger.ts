/**
 * The log: pino, as JSON lines or as text on a terminal. Supervisor and worker both write to the
 * supervisor's stdout and never wait for it. If its reader is stuck, lines beyond a few megabytes are
 * dropped.
 */
import { once } from 'node:events';
import { pino } from 'pino';
import { shortRequest } from './short-request.ts';

export type Logger = pino.Logger;

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'pretty';
  readonly fileDescriptor: number;
  /** Members of every line: pid, device. */
  readonly base: Readonly<Record<string, unknown>>;
}

export interface Log {
  readonly logger: Logger;
  /** Writes a line at any log level: for the ready line. */
  print(line: string): void;
  /** Resolves when all lines are written, or when there is no reader any more; logs nothing afterwards. */
  close(): Promise<void>;
}

const maxBufferedBytes = 4 * 1024 * 1024;
const closeMs = 1000;

export async function createLog(options: LoggerOptions): Promise<Log> {
  const destination = pino.destination({
    dest: options.fileDescriptor,
    sync: false,
    maxLength: maxBufferedBytes,
  });
  // A reader that has exited (`| head`) must not end the process.
  destination.on('error', () => {});
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: options.base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
  };
  const stream = options.format === 'pretty' ? await prettyStream(destination) : destination;
  return {
    logger: pino(settings, stream),
    print: (line) => destination.write(`${line}\n`),
    close() {
      const closed = once(destination, 'close', { signal: AbortSignal.timeout(closeMs) });
      destination.end();
      return closed.then(
        () => {},
        // Otherwise exit would write the remaining lines again and again, without end if the terminal is closed.
        () => destination.destroy(),
      );
    },
  };
}

/** Loaded only for a terminal, because it takes as much start-up time as pino itself. */
async function prettyStream(destination: pino.DestinationStream): Promise<pino.DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({
    colorize: true,
    translateTime: 'HH:MM:ss.l',
    ignore: 'pid',
    singleLine: true,
  });
  return {
    write(line) {
      destination.write(format(shortRequest(line)));
    },
  };
}
