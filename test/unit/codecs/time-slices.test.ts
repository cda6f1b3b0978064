/** Long bodies of every form and of the largest size: the event loop turns while they are decoded. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeItems, readPut } from '../../../src/codecs/json/json-put.ts';
import { readKeys } from '../../../src/codecs/json/json-request.ts';
import { keyLimit } from '../../../src/codecs/keys.ts';
import { SafetensorsDecoder } from '../../../src/codecs/safetensors/safetensors-decoder.ts';
import {
  requireTensorNames,
  safetensorsEncoder,
} from '../../../src/codecs/safetensors/safetensors-encoder.ts';
import { readHeader } from '../../../src/codecs/safetensors/safetensors-header.ts';
import { sortedInSlices } from '../../../src/codecs/sort.ts';
import { TimeSlices } from '../../../src/codecs/time-slices.ts';
import type { ProblemError } from '../../../src/errors/problems.ts';
import type { ValueSink } from '../../../src/store/batch/batch-writer.ts';
import { problemOfCode } from '../../../src/store/engine-problem.ts';
import { safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { formDecoder, recordingSink } from '../../helpers/http/value-sink.ts';
import { lowestOf } from '../../helpers/process/lowest.ts';

const MIB = 1 << 20;
/** The default of --batch-json-bytes. */
const LARGEST = 32 * MIB;
const most = 10_000_000;

/** Repeats an ASCII text over so many bytes, between two others, without a string of that length. */
function filled(before: string, text: string, bytes: number, after: string): Buffer {
  const end = before.length + bytes - (bytes % text.length);
  const body = Buffer.allocUnsafeSlow(end + after.length);
  body.write(before, 'latin1');
  body.fill(text, before.length, end, 'latin1');
  body.write(after, end, 'latin1');
  return body;
}

const base64BodyOf = (text: string, bytes: number): Buffer =>
  filled('{"items":[{"key":"k","value":"', text, bytes, '"}]}');

/** Milliseconds of CPU time of the work, and of the longest of its slices, from turn to turn. */
async function measured(work: () => Promise<unknown>): Promise<{ cpuMs: number; sliceMs: number }> {
  let sliceMs = 0;
  let running = true;
  let start = process.cpuUsage();
  const spentMs = (): number => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  const turn = (): void => {
    sliceMs = Math.max(sliceMs, spentMs());
    start = process.cpuUsage();
    if (running) setImmediate(turn);
  };
  const begun = process.cpuUsage();
  setImmediate(turn);
  await work();
  running = false;
  const { user, system } = process.cpuUsage(begun);
  return { cpuMs: (user + system) / 1000, sliceMs: Math.max(sliceMs, spentMs()) };
}

/** Accepts values without a pause, each in as many microseconds as storing it takes. */
function busySink(microseconds: number): ValueSink {
  const begin = (): void => {
    const endMs = performance.now() + microseconds / 1000;
    while (performance.now() < endMs);
  };
  return { begin, take: () => undefined, finish: () => undefined };
}

async function decoded(body: Buffer): Promise<void> {
  const { items } = await readPut(body, most);
  await decodeItems(items, busySink(2));
}

async function decodedTensors(file: Buffer): Promise<void> {
  const decoder = new SafetensorsDecoder(busySink(20), {
    bytes: file.length,
    maxHeaderBytes: LARGEST,
    tensors: keyLimit(most),
    hold: { take: () => undefined, giveBack: () => undefined },
  });
  await decoder.write(file);
  decoder.end();
}

/** Without garbage collection a slice takes 4 ms; a decoder that does not yield takes 100 and more. */
const TOLERATED_MS = 100;
const ROUNDS = 10;

const tensor = (n: number, at: number): string =>
  `"${n.toString().padStart(20, '0')}":{"dtype":"U8","shape":[1],"data_offsets":[${at},${at + 1}]}`;
/** The worst order for a sort. */
const shuffled = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => tensor(n, (n * 7919) % count));

const tensors = (count: number, bytes: number): Buffer =>
  safetensorsOf(Array.from({ length: count }, (_, n) => [`${n}`, Buffer.alloc(bytes, 1)]));

const bodies: Record<string, () => [Buffer, (body: Buffer) => Promise<unknown>]> = {
  'base64 as it is': () => [base64BodyOf('AAAA', LARGEST), decoded],
  'base64 with escaped slashes': () => [base64BodyOf('\\/AAA\\/AAA', LARGEST), decoded],
  'base64 of nothing but escaped slashes': () => [base64BodyOf('\\/\\/\\/\\/', LARGEST), decoded],
  'base64 of nothing but \\u escapes': () => [
    base64BodyOf('\\u0041\\u0041\\u0041\\u0041', LARGEST),
    decoded,
  ],
  'many values': () => [
    Buffer.from(
      `{"items":[${Array.from({ length: 12_000 }, (_, i) => `{"key":"${i}","value":"YQ=="}`).join()}]}`,
    ),
    decoded,
  ],
  'many empty values': () => [
    Buffer.from(
      `{"items":[${Array.from({ length: 15_000 }, (_, i) => `{"key":"${i}","value":""}`).join()}]}`,
    ),
    decoded,
  ],
  'many keys': () => [
    Buffer.from(JSON.stringify({ keys: Array.from({ length: 500_000 }, (_, i) => `é${i}`) })),
    (body) => readKeys(body, most),
  ],
  'many tensors': () => [
    Buffer.from(`{${shuffled(50_000).join()}}`),
    (body) => readHeader(body, keyLimit(most)),
  ],
  'many empty tensors': () => [tensors(10_000, 0), decodedTensors],
  'many tensors of one byte': () => [tensors(10_000, 1), decodedTensors],
  'much metadata': () => [
    filled('{"__metadata__":{"a":"', '\\u00e9\\n', LARGEST / 2, '","b":"c"}}'),
    (body) => readHeader(body, keyLimit(most)),
  ],
  'much metadata in many pieces': () => [
    Buffer.from(
      `{"__metadata__":{${Array.from({ length: 1_000_000 }, (_, i) => `"a${i}":"b"`).join()}}}`,
    ),
    (body) => readHeader(body, keyLimit(most)),
  ],
  'text that is not ASCII': () => [
    Buffer.from(`{"__metadata__":{"a":"${'é🗝'.repeat(LARGEST / 6)}"}}`),
    (body) => readHeader(body, keyLimit(most)),
  ],
  'blanks behind the end': () => [
    filled('{"keys":[]}', '    ', LARGEST, ''),
    (body) => readKeys(body, most),
  ],
};

describe('decoding', () => {
  for (const [name, make] of Object.entries(bodies)) {
    it(`of ${name} lets the event loop turn`, async () => {
      // The collection of garbage makes single slices longer, too.
      const best = await lowestOf(ROUNDS, TOLERATED_MS, async () => {
        const [body, decode] = make();
        return (await measured(() => decode(body))).sliceMs;
      });
      assert.ok(best < TOLERATED_MS, `a slice took ${best} ms`);
    });
  }

  it('of escapes costs at most twice as much as that of plain text', async () => {
    const bytes = 4 * MIB;
    const cost = async (text: string): Promise<number> =>
      (await measured(() => decoded(base64BodyOf(text, bytes)))).cpuMs;
    await cost('AAAA');
    for (const text of ['\\/AAA\\/AAA', '\\/\\/\\/\\/', '\\u002b\\u002b\\u002b\\u002b']) {
      const best = await lowestOf(ROUNDS, 2, async () => {
        const plain = await cost('AAAA');
        return (await cost(text)) / plain;
      });
      assert.ok(best <= 2, `${text}: ${best} times the CPU time of plain text`);
    }
  });

  it('refuses strings and runs of blanks that would block for too long', async () => {
    for (const [text, accepted] of [
      [`{"keys":[${' '.repeat(65_536)}]}`, true],
      [`{"keys":[${' '.repeat(65_537)}]}`, false],
      [`{"keys":["${'x'.repeat(70_000)}"]}`, false],
      [`{"keys":["${'\\n'.repeat(70_000)}"]}`, false],
    ] as const) {
      const read = readKeys(Buffer.from(text), 10);
      if (accepted) assert.deepEqual(await read, []);
      else await assert.rejects(read, /65536|255 bytes/);
    }
  });
});

describe('decoding of a form', () => {
  it('with only near-delimiters lets the event loop turn', async () => {
    const head = 'Content-Disposition: form-data; name=a\r\n\r\n';
    const form = filled(`--b\r\n${head}`, '\r\n--bx', MIB / 8, '\r\n--b--\r\n');
    const best = await lowestOf(ROUNDS, TOLERATED_MS, async () => {
      const decoder = formDecoder(recordingSink());
      // One chunk of 128 KiB; a socket returns 64 KiB at a time.
      return (await measured(async () => decoder.write(form))).sliceMs;
    });
    assert.ok(best < TOLERATED_MS, `a slice took ${best} ms`);
  });
});

describe('encoding of a safetensors header', () => {
  const keys = Array.from({ length: 300_000 }, (_, i) => `${i}`.padStart(100, 'k'));
  const sizes = new Float64Array(keys.length).fill(1);
  const none = new Map<number, ProblemError>();
  // Fewer, because collecting the garbage of failures takes longer than a slice may.
  const failing = keys.slice(0, 100_000);
  const many = new Map(failing.map((_, i) => [i, problemOfCode('read', -3102)]));

  for (const [what, work] of [
    ['of many tensors', () => safetensorsEncoder({ keys, sizes, problems: none })],
    ['of many failures', () => safetensorsEncoder({ keys: failing, sizes, problems: many })],
    ['checks many names and', () => requireTensorNames(keys, keys.length)],
  ] as const) {
    it(`${what} lets the event loop turn`, async () => {
      const best = await lowestOf(ROUNDS, TOLERATED_MS, async () => (await measured(work)).sliceMs);
      assert.ok(best < TOLERATED_MS, `a slice took ${best} ms`);
    });
  }

  it('returns the header in pieces, so that no piece is copied at once', async () => {
    const encoder = await safetensorsEncoder({ keys, sizes, problems: none });
    const pieces = encoder.open();
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    assert.equal(bytes, encoder.openBytes);
    assert.ok(bytes > 30 * MIB);
    for (const { length } of pieces) assert.ok(length <= 128 * 1024, `a piece of ${length} bytes`);
  });
});

describe('sortedInSlices', () => {
  it('sorts like the built-in sort, and is stable', async () => {
    for (const length of [0, 1, 4095, 4096, 4097, 20_000]) {
      const items = Array.from({ length }, (_, n) => ({ n, value: (n * 7919) % 101 }));
      const byValue = (a: { value: number }, b: { value: number }) => a.value - b.value;
      assert.deepEqual(
        await sortedInSlices(items, byValue, new TimeSlices()),
        [...items].sort(byValue),
      );
    }
  });
});

describe('TimeSlices', () => {
  it('requests a pause before ten milliseconds are used, and not at once', async (t) => {
    let nowMs = 1000;
    t.mock.method(performance, 'now', () => nowMs);
    const slices = new TimeSlices();
    for (let slice = 0; slice < 2; slice++) {
      assert.equal(slices.pause(), undefined);
      nowMs += 9;
      const pause = slices.pause();
      assert.ok(pause !== undefined);
      await pause;
    }
  });

  it('gives one waiter its slice in each turn', async () => {
    const order: string[] = [];
    const turns = (async () => {
      for (let turn = 0; turn < 4; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        order.push('turn');
      }
    })();
    await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        await new TimeSlices().next();
        order.push(name);
      }),
    );
    await turns;
    assert.deepEqual(order.slice(0, 6), ['turn', 'a', 'turn', 'b', 'turn', 'c']);
  });

  it('ends waiting work at once when its request has ended', async () => {
    const stopped = new TimeSlices();
    const others = new TimeSlices();
    const refused = assert.rejects(stopped.next(), /the request ended/);
    const served = others.next();
    stopped.stop();
    await refused;
    await assert.rejects(stopped.next(), /the request ended/);
    await served;
  });

  it('stops the decoding of a safetensors header', async () => {
    const slices = new TimeSlices();
    const header = Buffer.from(`{${shuffled(50_000).join()}}`);
    const read = readHeader(header, keyLimit(most), slices);
    slices.stop();
    await assert.rejects(read, /the request ended/);
  });
});
