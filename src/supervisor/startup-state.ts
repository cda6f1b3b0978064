/** The workers that have been ready, and those that never will be. */
export interface StartupState {
  /** Whether any worker ever was ready. */
  readonly ever: boolean;
  /** The news of a worker that is ready: the gateway is ready (`announce`), or this worker is (again). */
  ready(device: number, poolReady: boolean): 'announce' | 'ready' | 'ready again';
  /**
   * Notes that a restart of a device's worker cannot help. Returns why the program ends, or
   * undefined when another device serves or may still be ready.
   */
  failed(device: number, message: string): string | undefined;
}

export function createStartupState(
  devices: readonly number[],
  readyWhen: 'any' | 'all',
): StartupState {
  const seen = new Set<number>();
  const hopeless = new Map<number, string>();
  let announced = false;
  return {
    get ever() {
      return seen.size > 0;
    },
    ready(device, poolReady) {
      const again = seen.has(device);
      seen.add(device);
      hopeless.delete(device);
      if (announced || !poolReady) return again ? 'ready again' : 'ready';
      announced = true;
      return 'announce';
    },
    failed(device, message) {
      // At the start the operator needs the error at once; later the other devices serve on.
      if (announced) return undefined;
      hopeless.set(device, message);
      const lost = readyWhen === 'all' || hopeless.size === devices.length;
      return lost ? describeFaults(hopeless) : undefined;
    },
  };
}

/** One line for each fault, with all its devices. */
function describeFaults(faults: ReadonlyMap<number, string>): string {
  const devices = new Map<string, number[]>();
  for (const [device, message] of faults) {
    devices.set(message, [...(devices.get(message) ?? []), device]);
  }
  const texts = [...devices].map(([message, those]) => {
    return `${those.length === 1 ? 'device' : 'devices'} ${those.join(', ')}: ${message}`;
  });
  return texts.join('\n');
}
