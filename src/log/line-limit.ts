/** Lines of one kind in one window; further lines are counted. */
const MAX_LINES = 10;
const WINDOW_MS = 10_000;

/** Limits floods of log lines, so that an overload fills neither the disk nor the log. */
export interface LineLimit {
  /** Whether to write the line; a refused line is counted. */
  admits(kind: string): boolean;
  /** Reports the counts; call it before the process ends. */
  flush(): void;
}

interface Window {
  lines: number;
  suppressed: number;
  timer: NodeJS.Timeout;
}

/**
 * The first line of a kind opens a window of 10 s, in which 10 lines are admitted. At its end `report`
 * gets the number of refused lines, if any. The kinds are few, such as slugs of problems; none is kept
 * beyond its window.
 */
export function createLineLimit(report: (kind: string, suppressed: number) => void): LineLimit {
  const windows = new Map<string, Window>();
  const close = (kind: string, { suppressed, timer }: Window): void => {
    clearTimeout(timer);
    windows.delete(kind);
    if (suppressed > 0) report(kind, suppressed);
  };
  const open = (kind: string): Window => {
    const window: Window = {
      lines: 0,
      suppressed: 0,
      timer: setTimeout(() => close(kind, window), WINDOW_MS).unref(),
    };
    windows.set(kind, window);
    return window;
  };
  return {
    admits(kind) {
      const window = windows.get(kind) ?? open(kind);
      if (window.lines < MAX_LINES) {
        window.lines += 1;
        return true;
      }
      window.suppressed += 1;
      return false;
    },
    flush() {
      for (const [kind, window] of windows) close(kind, window);
    },
  };
}
