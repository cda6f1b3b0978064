/** Devices: numbers and ranges of them, such as `0-7` or `0,2,5`. */
import type { Kind, Reading } from './kinds.ts';

/** The engine's own limit (docs/engine-facts.md §1). */
const HIGHEST_DEVICE = 383;
/** Each has a process with an arena; the embedded engine's pool has places for this number of clients. */
const MAX_DEVICES = 64;

/** Devices, each once, in ascending order; written back in the shortest form. */
export function devices(): Kind<readonly number[]> {
  return {
    placeholder: 'LIST',
    accepts: `0…${HIGHEST_DEVICE}, at most ${MAX_DEVICES}`,
    read: readDevices,
    join: joinDevices,
    write: writeDevices,
  };
}

function readDevices(text: string): Reading<readonly number[]> {
  const named: number[] = [];
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
    for (let device = from; device <= to; device++) named.push(device);
  }
  return joinDevices([named]);
}

function joinDevices(parts: readonly (readonly number[])[]): Reading<readonly number[]> {
  const ascending = parts.flat().sort((a, b) => a - b);
  const twice = ascending.find((device, at) => device === ascending[at + 1]);
  if (twice !== undefined) return { fault: `names device ${twice} twice; give each once` };
  if (ascending.length > MAX_DEVICES) {
    return { fault: `names ${ascending.length} devices; give at most ${MAX_DEVICES}` };
  }
  return { value: ascending };
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
