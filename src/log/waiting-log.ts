/**
 * A logger that keeps its lines until pino is loaded: the supervisor forks the first worker before it
 * loads pino, so that both load at the same time.
 */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';
type Write = (fields: object, message: string) => void;
export type PoolLog = Readonly<Record<LogLevel, Write>>;

const nowhere: Write = () => {};

/** For lines after the log has been closed: connections may live slightly longer. */
export const silentLog: PoolLog = {
  debug: nowhere,
  info: nowhere,
  warn: nowhere,
  error: nowhere,
  fatal: nowhere,
};

/** Keeps lines in order until `attach` gives it the real logger. */
export function createWaitingLog(): { log: PoolLog; attach(target: PoolLog): void } {
  let target: PoolLog | undefined;
  let waiting: { level: LogLevel; fields: object; message: string }[] = [];
  const writer =
    (level: LogLevel): Write =>
    (fields, message) => {
      if (target === undefined) waiting.push({ level, fields, message });
      else target[level](fields, message);
    };
  return {
    log: {
      debug: writer('debug'),
      info: writer('info'),
      warn: writer('warn'),
      error: writer('error'),
      fatal: writer('fatal'),
    },
    attach(logger) {
      target = logger;
      for (const { level, fields, message } of waiting) logger[level](fields, message);
      waiting = [];
    },
  };
}
