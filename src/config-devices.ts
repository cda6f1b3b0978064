/** Devices: numbers and ranges of them, such as `0-7` or `0,2,5`. */
import type { Kind, Reading } from './config-kinds.ts';

/** The engine's own limit (engine.md §1). */
const HIGHEST_DEVICE = 383;
/** Each has a process with an arena; the embedded engine's pool has places for so many clients. */
const MOST_DEVICES = 64;

/** Devices, each once, in ascending order; written back in the shortest form. */
export function devices(): Kind<readonly number[]> {
  return {
    placeholder: 'LIST',
    accepts: `0…${HIGHEST_DEVICE}, at most ${MOST_DEVICES}`,
    repeatable: false,
    read: readDevices,
    write: writeDevices,
  };
}

function readDevices(text: string): Reading<readonly number[]> {
  const found = new Set<number>();
  for (const word of text.split(',').map((part) => part.trim())) {
    const [, first = '', last = first] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(word) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === '') {
      return { fault: `"${text}" is no list of devices; give numbers and ranges: 0-7, or 0,2,5` };
    }
    if (to > HIGHEST_DEVICE || from > HIGHEST_DEVICE) {
      return { fault: `${word} is out of range; give devices from 0 to ${HIGHEST_DEVICE}` };
    }
    if (to < from) return { fault: `the range ${word} runs backwards; write ${to}-${from}` };
    for (let device = from; device <= to; device++) {
      if (found.has(device)) return { fault: `names device ${device} twice; give each once` };
      found.add(device);
    }
  }
  if (found.size > MOST_DEVICES) {
    return { fault: `names ${found.size} devices; give at most ${MOST_DEVICES}` };
  }
  return { value: [...found].sort((a, b) => a - b) };
}

function writeDevices(ascending: readonly number[]): string {
  const words: string[] = [];
  for (let from = 0; from < ascending.length; ) {
    let to = from;
    while (ascending[to + 1] === Number(ascending[to]) + 1) to++;
    words.push(to === from ? `${ascending[from]}` : `${ascending[from]}-${ascending[to]}`);
    from = to + 1;
  }
  return words.join(',');
}
