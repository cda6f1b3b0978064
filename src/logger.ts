/**
 * The log: pino, as JSON lines for machines or as text on a terminal. Supervisor and worker each
 * write to the supervisor's stdout; neither ever waits for it, and what a stuck reader leaves
 * unread beyond a few megabytes is dropped.
 */
import { once } from 'node:events';
import { pino } from 'pino';

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
  /** Writes a line as it is, whatever the level: for the one line that says the program is ready. */
  print(line: string): void;
  /** Resolves when everything has been written, or nobody reads any more; nothing is logged after. */
  close(): Promise<void>;
}

const mostBufferedBytes = 4 * 1024 * 1024;
const closeMs = 1000;

export async function createLog(options: LoggerOptions): Promise<Log> {
  const destination = pino.destination({
    dest: options.fileDescriptor,
    sync: false,
    maxLength: mostBufferedBytes,
  });
  // A reader that went away (`| head`) is no reason to end.
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
        // On exit it would write what is left again and again, for ever where the terminal is gone.
        () => destination.destroy(),
      );
    },
  };
}

/** Loaded only for a terminal: it costs as much start-up time as pino itself. */
async function prettyStream(destination: pino.DestinationStream): Promise<pino.DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({ colorize: true, translateTime: 'HH:MM:ss.l', ignore: 'pid' });
  return {
    write(line) {
      destination.write(format(line));
    },
  };
}
