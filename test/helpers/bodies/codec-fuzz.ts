/** Invalid bodies: mutated and cut at random, passed to the codecs in random pieces. */
import { readPut } from '../../../src/codecs/json/json-put.ts';
import { readKeys } from '../../../src/codecs/json/json-request.ts';
import { keyLimit } from '../../../src/codecs/keys.ts';
import { MultipartDecoder } from '../../../src/codecs/multipart/multipart-decoder.ts';
import { readNumberedHead } from '../../../src/codecs/multipart/part-head.ts';
import { layerSizesOfTensors } from '../../../src/codecs/safetensors/layer-tensors.ts';
import { SafetensorsDecoder } from '../../../src/codecs/safetensors/safetensors-decoder.ts';
import { MAX_LAYERS } from '../../../src/config/layouts.ts';
import { ProblemError, type ProblemSlug, problemKinds } from '../../../src/errors/problems.ts';
import { HeldBytes } from '../../../src/http/body/held-bytes.ts';
import { tooManyLayers } from '../../../src/store/layers/layers.ts';
import { decode, formDecoder, recordingSink } from '../http/value-sink.ts';
import { completed, layerWriter, type TestLayerWriter } from './layer-writer.ts';
import { formOf } from './multipart.ts';
import { safetensorsFile, safetensorsOf } from './safetensors.ts';

/** mulberry32: the same seed gives the same bodies. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Codec {
  readonly samples: readonly Buffer[];
  /** Words of the grammar, which a mutation inserts at wrong positions. */
  readonly words: readonly string[];
  /** Resolves with the slug of a refusal; rejects with any error that is not a ProblemError. */
  decode(body: Buffer, random: (below: number) => number): Promise<string | undefined>;
}

const MAX_KEYS = 100;
const numbers = ['0', '-1', '1e9', '9007199254740993', '1.5', '00', '99999999999999999999'];
const json = ['{', '}', '[', ']', '"', ',', ':', '\\', '\\u0000', '\\ud800', 'null', 'true', ' '];

const cutsOf = (body: Buffer, random: (below: number) => number): number[] =>
  Array.from({ length: random(6) }, () => random(body.length + 1));

const slow = (random: (below: number) => number): (() => boolean) => {
  const never = random(4) > 0;
  return () => !never && random(3) === 0;
};

async function readJson(read: (body: Buffer) => unknown, body: Buffer) {
  const whole = {
    write: () => undefined,
    end: async () => {
      await read(body);
    },
    discard: () => undefined,
  };
  return decode(whole, body, []);
}

/** Completes or refuses the decoded layers, and checks that no block remains in the arena. */
function layersSlug(writer: TestLayerWriter, refusal: string | undefined): string | undefined {
  let slug = refusal;
  try {
    if (slug === undefined) completed(writer);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    slug = error.slug;
  }
  writer.sink.discard();
  if (writer.arena.stats().blocks !== 0) throw new Error('a block leaked');
  return slug;
}

const layerLimit = { most: MAX_LAYERS, exceeded: tooManyLayers };
const value = (text: string): string => Buffer.from(text).toString('base64');
const entry = (start: number, end: number, dtype = 'U8', shape = [end - start]) => ({
  dtype,
  shape,
  data_offsets: [start, end],
});

export const codecs: Readonly<Record<string, Codec>> = {
  'json keys': {
    samples: ['{"keys":["a","kv/block-7","é","\\u00e9\\n"]}', '{"keys":[]}'].map((t) =>
      Buffer.from(t),
    ),
    words: [...json, ...numbers, '"keys"', '"a"'],
    decode: (body) => readJson((text) => readKeys(text, MAX_KEYS), body),
  },
  'json values': {
    samples: [
      { items: [{ key: 'a', value: value('hello') }], replicas: 2, prefer: [0, 1] },
      { ifExists: 'keep', items: [{ value: value('x'.repeat(200)), key: 'b' }] },
    ].map((body) => Buffer.from(JSON.stringify(body))),
    words: [...json, ...numbers, '"items"', '"value"', '"key"', '"replicas"', '=', '=='],
    decode: (body) => readJson((text) => readPut(text, MAX_KEYS), body),
  },
  safetensors: {
    samples: [
      safetensorsOf([
        ['a', Buffer.from('one')],
        ['b', Buffer.from('second')],
      ]),
      safetensorsFile(
        { __metadata__: { format: 'pt' }, x: entry(8, 16, 'F32', [2]), y: entry(0, 8, 'F64', [1]) },
        Buffer.alloc(16),
      ),
    ],
    words: [...json, ...numbers, '"data_offsets"', '"shape"', '"dtype"', '__metadata__', '\0'],
    async decode(body, random) {
      const held = new HeldBytes(1 << 17);
      const limits = { maxHeaderBytes: 1 << 16, tensors: keyLimit(MAX_KEYS), hold: held };
      const bytes = random(2) === 0 ? body.length : undefined;
      const decoder = new SafetensorsDecoder(recordingSink(slow(random)), { bytes, ...limits });
      const slug = await decode(decoder, body, cutsOf(body, random));
      if (held.held !== 0) throw new Error(`${held.held} bytes of headers are still held`);
      return slug;
    },
  },
  'safetensors layers': {
    samples: [
      safetensorsOf([
        ['1', Buffer.alloc(300, 'x')],
        ['0', Buffer.alloc(200, 'y')],
      ]),
      safetensorsOf(Array.from({ length: 12 }, (_, n) => [String(n), Buffer.alloc(n + 1)])),
    ],
    words: [...json, ...numbers, '"data_offsets"', '"0"', '"1"', '"2"', '"10"', '\0'],
    async decode(body, random) {
      const held = new HeldBytes(1 << 17);
      const bytes = random(2) === 0 ? body.length : undefined;
      const writer = layerWriter({ maxBytes: bytes });
      const decoder = new SafetensorsDecoder(writer.sink, {
        bytes,
        maxHeaderBytes: 1 << 16,
        tensors: layerLimit,
        admit: (tensors) => writer.sink.announce(layerSizesOfTensors(tensors)),
        hold: held,
      });
      return layersSlug(writer, await decode(decoder, body, cutsOf(body, random)));
    },
  },
  'multipart layers': {
    samples: [
      formOf('b', [
        ['0', Buffer.from('one')],
        ['0', Buffer.alloc(70_000, 'x'), 'Content-Length: 70000\r\n'],
      ]),
      formOf('b', [['', Buffer.from('x')]]),
    ],
    words: ['\r\n', '\r\n\r\n', '--b', '--b--', '\r\n--b\r\n', 'Content-Length: 3\r\n'],
    async decode(body, random) {
      const writer = layerWriter({ maxBytes: random(2) === 0 ? body.length : undefined });
      const decoder = new MultipartDecoder(writer.sink, 'b', {
        parts: layerLimit,
        readHead: readNumberedHead,
      });
      return layersSlug(writer, await decode(decoder, body, cutsOf(body, random)));
    },
  },
  multipart: {
    samples: [
      formOf('b', [
        ['a', Buffer.from('one')],
        ['b', Buffer.from('second'), 'Content-Type: text/plain\r\n'],
        ['c', Buffer.alloc(40_000, 'x'), 'Content-Length: 40000\r\n'],
      ]),
      formOf('b', [['a', Buffer.alloc(0)]]),
    ],
    words: [
      '\r\n',
      '\r\n\r\n',
      '--b',
      '--b--',
      '\r\n--b\r\n',
      '--',
      'name="',
      '"',
      'Content-Length: 3\r\n',
    ],
    decode(body, random) {
      const sink = recordingSink(slow(random));
      return decode(formDecoder(sink, MAX_KEYS), body, cutsOf(body, random));
    },
  },
};

function mutated({ samples, words }: Codec, random: (below: number) => number): Buffer {
  let body = samples[random(samples.length)] as Buffer;
  for (let changes = random(4); changes >= 0; changes--) {
    // Most syntax is at the beginning, so half of the mutations go there.
    const at = random(random(2) === 0 ? body.length + 1 : Math.min(body.length + 1, 200));
    const rest = Math.min(body.length, at + random(8));
    const word = Buffer.from(words[random(words.length)] as string);
    const other = samples[random(samples.length)] as Buffer;
    const kinds = [
      () => body.subarray(0, at),
      () => Buffer.concat([body.subarray(0, at), body.subarray(rest)]),
      () => Buffer.concat([body.subarray(0, at), word, body.subarray(at)]),
      () => Buffer.concat([body.subarray(0, at), word, body.subarray(rest)]),
      () =>
        Buffer.concat([body.subarray(0, at), Buffer.from([random(256)]), body.subarray(at + 1)]),
      () => Buffer.concat([body.subarray(0, at), other.subarray(random(other.length))]),
    ];
    body = (kinds[random(kinds.length)] as () => Buffer)();
  }
  return body;
}

const STUCK_MS = 10_000;

/** Passes `runs` bodies to a codec; rejects at the first that is neither accepted nor refused. */
export async function fuzz(name: string, runs: number, seed: number): Promise<Map<string, number>> {
  const codec = codecs[name] as Codec;
  const outcomes = new Map<string, number>();
  for (let run = 0; run < runs; run++) {
    const random = randomFrom(seed + run);
    const body = mutated(codec, random);
    const slug = await judged(codec.decode(body, random), name, seed + run);
    outcomes.set(slug ?? 'taken', (outcomes.get(slug ?? 'taken') ?? 0) + 1);
  }
  return outcomes;
}

async function judged(outcome: Promise<string | undefined>, name: string, seed: number) {
  const what = `${name}, seed ${seed}`;
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: it hangs`)), STUCK_MS);
  });
  try {
    const slug = await Promise.race([outcome, stuck]);
    if (slug !== undefined && problemKinds[slug as ProblemSlug].status >= 500) {
      throw new Error(`answered with ${slug}`);
    }
    return slug;
  } catch (error) {
    throw new Error(`${what}: ${String(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
