/** The samples of a page of metrics, by name and value of their only label; '' without a label. */
export type Samples = ReadonlyMap<string, ReadonlyMap<string, number>>;

const SAMPLE = /^(memcache_\w+)(?:\{\w+="([^"\\]*)"\})? (\d[\d.e+]*)$/;

/** Ignores every line that is no sample with at most one label and a value that is not negative. */
export function samplesIn(text: string): Samples {
  const found = new Map<string, Map<string, number>>();
  for (const line of text.split('\n')) {
    const [, name, label = '', digits] = SAMPLE.exec(line) ?? [];
    const value = Number(digits);
    if (name === undefined || !Number.isSafeInteger(value)) continue;
    const values = found.get(name) ?? new Map<string, number>();
    found.set(name, values.set(label, value));
  }
  return found;
}
