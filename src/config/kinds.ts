/**
 * How each kind of setting is read from text and written back. A reading is a value or a fault; a
 * fault is the end of a sentence that starts with the setting's name, and says how to correct it.
 */

export type Reading<T> = { readonly value: T } | { readonly fault: string };

export interface Kind<T> {
  /** Stands for the value in the help: `--port N`. Empty for a switch, which needs none. */
  readonly placeholder: string;
  /** The accepted values, for the documentation. */
  readonly accepts: string;
  read(text: string): Reading<T>;
  /** The words of a list, each of which is read alone, so that each has its own fault. */
  split?(text: string): readonly string[];
  /** Joins the values of a flag that is given several times; without it, the last value counts. */
  join?(parts: readonly T[]): Reading<T>;
  /** The text that reads back as `value`. */
  write(value: T): string;
}

export const kibibyte = 1024;
export const mebibyte = 1024 * kibibyte;
export const gibibyte = 1024 * mebibyte;
export const tebibyte = 1024 * gibibyte;

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number, placeholder = 'N'): Kind<number> {
  const accepts = `${min}…${max}`;
  return {
    placeholder,
    accepts,
    read(text) {
      const value = Number(text);
      if (!/^[+-]?\d+$/.test(text)) {
        return { fault: `"${text}" is not a whole number; give one from ${min} to ${max}` };
      }
      if (value < min || value > max) {
        return { fault: `${text} is out of range; give a whole number from ${min} to ${max}` };
      }
      return { value };
    },
    write: String,
  };
}

const sizePattern = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i;
const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: kibibyte,
  kib: kibibyte,
  m: mebibyte,
  mib: mebibyte,
  g: gibibyte,
  gib: gibibyte,
  t: tebibyte,
  tib: tebibyte,
};

/** Bytes, plain or with a unit; KB, MB and GB are refused, since some mean 1000 by them and some 1024. */
export function size(min: number, max: number): Kind<number> {
  const range = `${formatBytes(min)} to ${formatBytes(max)}`;
  const units = 'plain bytes or k, m, g, t (also KiB, MiB, GiB, TiB), all powers of 1024';
  return {
    placeholder: 'SIZE',
    accepts: `${formatBytes(min)}…${formatBytes(max)}`,
    read(text) {
      const [, digits = '', unit = ''] = sizePattern.exec(text.trim()) ?? [];
      if (/^[kmgt]b$/i.test(unit)) {
        const exact = `${digits}${unit.charAt(0).toUpperCase()}iB`;
        return { fault: `"${text}" is ambiguous (1000 or 1024?); write ${exact}, or plain bytes` };
      }
      const factor = sizeUnits[unit.toLowerCase()];
      if (digits === '' || factor === undefined) {
        return { fault: `"${text}" is not a size; give ${range}: ${units}` };
      }
      const value = Number(digits) * factor;
      if (!Number.isInteger(value)) {
        return { fault: `"${text}" is not a whole number of bytes` };
      }
      if (value < min || value > max) {
        return { fault: `${text} is out of range; give ${range}` };
      }
      return { value };
    },
    write: formatBytes,
  };
}

/** The shortest exact spelling that `size` reads back: 1GiB, 64KiB, 1000. */
export function formatBytes(bytes: number): string {
  const units: readonly [string, number][] = [
    ['TiB', tebibyte],
    ['GiB', gibibyte],
    ['MiB', mebibyte],
    ['KiB', kibibyte],
  ];
  for (const [unit, factor] of units) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

const switchWords: Readonly<Record<string, boolean>> = {
  on: true,
  true: true,
  yes: true,
  '1': true,
  off: false,
  false: false,
  no: false,
  '0': false,
};

/** On or off. As a flag it may stand alone (on), be negated (`--no-…`), or take a word. */
export function toggle(): Kind<boolean> {
  return {
    placeholder: '',
    accepts: 'on, off',
    read(text) {
      const value = switchOf(text);
      return value === undefined
        ? { fault: `"${text}" is neither on nor off; give on or off` }
        : { value };
    },
    write: (value) => (value ? 'on' : 'off'),
  };
}

/** What the word of a switch means; undefined for any other text. */
export function switchOf(text: string): boolean | undefined {
  const word = text.toLowerCase();
  return Object.hasOwn(switchWords, word) ? switchWords[word] : undefined;
}

export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    placeholder: words.join('|'),
    accepts: words.join(', '),
    read(text) {
      const value = words.find((word) => word === text.toLowerCase());
      return value === undefined
        ? { fault: `"${text}" is not known; give one of ${words.join(', ')}` }
        : { value };
    },
    write: (value) => value,
  };
}

/** Any text without control characters; a path, a name. */
export function text(placeholder: string, accepts: string): Kind<string> {
  return {
    placeholder,
    accepts,
    read(given) {
      if (/[\x00-\x1f\x7f]/.test(given)) return { fault: 'contains control characters' };
      if (given.trim() === '') return { fault: 'is empty; give a value or omit the setting' };
      return { value: given };
    },
    write: (value) => value,
  };
}

/** A path, absolute or from the working directory; undefined when not given. */
export function path(): Kind<string | undefined> {
  return { ...text('PATH', 'a path'), write: (value) => value ?? '' };
}

const wordsOf = (text: string): string[] => text.split(',').map((word) => word.trim());

const poolNamePattern = /^(?!\.)[\w.-]{1,200}$/;

/** The name of a pool of the embedded engine, for shm_open(3). Names of private pools begin with `mcg-`. */
export function poolName(): Kind<string | undefined> {
  const accepts = "1 to 200 letters, digits, '.', '_' and '-', not first a '.'";
  return {
    placeholder: 'NAME',
    accepts,
    read(given) {
      if (!poolNamePattern.test(given)) return { fault: `is no name of a pool; give ${accepts}` };
      if (!given.startsWith('mcg-')) return { value: given };
      return { fault: 'begins with mcg-, as the names of private pools do; give another name' };
    },
    write: (value) => value ?? '',
  };
}

/** The address of an HTTP server, without a path: the gateway adds its own. Undefined when not given. */
export function httpUrl(): Kind<string | undefined> {
  const accepts = '`http://HOST:PORT` or `https://HOST:PORT`';
  return {
    placeholder: 'URL',
    accepts,
    read(given) {
      const url = URL.canParse(given) ? new URL(given) : undefined;
      const isPlain =
        url !== undefined &&
        /^https?:$/.test(url.protocol) &&
        `${url.username}${url.password}${url.search}${url.hash}` === '' &&
        url.pathname === '/';
      if (isPlain) return { value: url.origin };
      return {
        fault: 'is no address of an HTTP server; give http://HOST:PORT or https://HOST:PORT',
      };
    },
    write: (value) => value ?? '',
  };
}

/** Several words, separated by commas, or the flag several times. `check` returns the fault of a word. */
export function list(
  placeholder: string,
  accepts: string,
  check: (word: string) => string | undefined,
): Kind<readonly string[]> {
  return {
    placeholder,
    accepts,
    split: wordsOf,
    read(given) {
      const words = wordsOf(given);
      for (const word of words) {
        const fault = word === '' ? 'has an empty entry; separate by single commas' : check(word);
        if (fault !== undefined) return { fault };
      }
      return { value: words };
    },
    join: (parts) => ({ value: parts.flat() }),
    write: (value) => value.join(','),
  };
}
