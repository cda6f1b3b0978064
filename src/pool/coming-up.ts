/** What is told of workers that come up, and of those that never will. */

export interface ComingUp {
  /** Whether any worker ever was ready. */
  readonly ever: boolean;
  /** What to tell of a worker that is ready: that the gateway is now, or that this one is (again). */
  ready(device: number, poolReady: boolean): 'announce' | 'ready' | 'ready again';
  /**
   * Notes that starting a device's worker again cannot help. Answers why the program ends for it, or
   * undefined when service goes on, or may still come from another device.
   */
  failed(device: number, message: string): string | undefined;
}

export function createComingUp(devices: readonly number[], readyWhen: 'any' | 'all'): ComingUp {
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
      // Before anything worked, an operator who waits wants an answer; later, service goes on.
      if (announced) return undefined;
      hopeless.set(device, message);
      const lost = readyWhen === 'all' || hopeless.size === devices.length;
      return lost ? describeFaults(hopeless) : undefined;
    },
  };
}

/** What is the same for several devices is said once. */
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
