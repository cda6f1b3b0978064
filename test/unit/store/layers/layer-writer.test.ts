import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../../src/errors/problems.ts';
import { ArenaFullError } from '../../../../src/native/abi/errors.ts';
import type { Arena } from '../../../../src/native/abi/types.ts';
import {
  completed,
  layerWriter,
  type TestLayerWriter,
} from '../../../helpers/bodies/layer-writer.ts';
import { countingArena } from '../../../helpers/engine/scripted-engine.ts';

type Given = readonly (readonly [name: string, text: string, announced?: boolean])[];

/** Passes layers in pieces of `step` bytes. */
async function give({ sink }: TestLayerWriter, layers: Given, step = 2): Promise<void> {
  for (const [name, text, announced = false] of layers) {
    await sink.begin(name, announced ? text.length : undefined);
    for (let at = 0; at < text.length; at += step) {
      sink.take(Buffer.from(text.slice(at, at + step)));
    }
    sink.finish();
  }
}

/** The work fails with this error and releases everything when the writer is aborted. */
async function refuses(
  writer: TestLayerWriter,
  slug: ProblemSlug,
  work: () => void | Promise<void>,
  members?: object,
): Promise<void> {
  await assert.rejects(
    async () => work(),
    (error) => {
      assert.ok(error instanceof ProblemError, String(error));
      assert.equal(error.slug, slug);
      if (members !== undefined) assert.deepEqual(error.options.members, members);
      return true;
    },
  );
  writer.sink.discard();
  assert.equal(writer.arena.stats().blocks, 0, 'a block leaked');
}

const abc: Given = [
  ['0', 'a'],
  ['1', 'bcd'],
  ['2', 'ef'],
];

describe('layers of unknown size', () => {
  it('are stored one after another, in a block that grows or has the largest possible length', async () => {
    for (const maxBytes of [undefined, 6, 1000]) {
      const writer = layerWriter({ maxBytes });
      await give(writer, abc);
      assert.equal(completed(writer).toString(), 'abcdef');
    }
  });

  it('grow up to the limit, and not beyond', async () => {
    const most = 1 << 18;
    const writer = layerWriter();
    await give(writer, [['0', 'x'.repeat(most)]], 1000);
    assert.equal(completed(writer).length, most);
    const beyond = layerWriter();
    await refuses(beyond, 'unsized-body-too-large', () =>
      give(beyond, [['0', 'x'.repeat(most + 1)]], 1000),
    );
  });

  it('have at most the size of an object, even if their body is longer', async () => {
    const context = { maxObjectBytes: 6, maxBytes: 100 };
    const writer = layerWriter(context);
    await give(writer, abc);
    assert.equal(completed(writer).toString(), 'abcdef');
    const beyond = layerWriter(context);
    await refuses(beyond, 'object-too-large', () => give(beyond, [...abc, ['3', 'g']]));
  });

  it('are refused before they arrive if not all of their body can be framing', async () => {
    const framing = 257 * 17 * 1024;
    const most = { maxObjectBytes: 6 };
    const fits = layerWriter({ ...most, maxBytes: 6 + framing });
    await fits.sink.prepare();
    fits.sink.discard();
    const beyond = layerWriter({ ...most, maxBytes: 7 + framing });
    await refuses(beyond, 'object-too-large', () => beyond.sink.prepare());
    const named = layerWriter({ ...most, maxBytes: 7 + framing, expected: [6] });
    await named.sink.prepare();
    named.sink.discard();
  });

  it('are refused if their replicas do not fit the pool', async () => {
    const arena = countingArena();
    const { sink } = layerWriter({ replicas: 2 }, arena);
    await give({ sink, arena }, abc);
    assert.ok(sink.complete());
    const empty = layerWriter();
    await refuses(empty, 'empty-object', () => void empty.sink.complete());
  });
});

describe('layers of known size', () => {
  const expected = [1, 3, 2];

  it('are stored at their places, in any order of arrival', async () => {
    const orders = [abc, [...abc].reverse(), [abc[2], abc[0], abc[1]] as Given];
    for (const order of orders) {
      for (const step of [1, 2, 10]) {
        const writer = layerWriter({ expected });
        await give(writer, order, step);
        assert.equal(completed(writer).toString(), 'abcdef');
      }
    }
  });

  it('are refused if one is shorter, longer, missing or superfluous', async () => {
    const one = { expectedBytes: 3, actualBytes: 2 };
    for (const announced of [true, false]) {
      const short = layerWriter({ expected });
      await refuses(short, 'layers-mismatch', () => give(short, [['1', 'bc', announced]]), one);
      const long = layerWriter({ expected });
      await refuses(long, 'layers-mismatch', () => give(long, [['1', 'bcde', announced]], 4), {
        expectedBytes: 3,
        actualBytes: 4,
      });
    }
    const missing = layerWriter({ expected });
    await refuses(
      missing,
      'layers-mismatch',
      async () => {
        await give(missing, abc.slice(0, 2));
        missing.sink.complete();
      },
      { expectedBytes: 6, actualBytes: 4 },
    );
    const more = layerWriter({ expected });
    await refuses(more, 'layers-mismatch', () => give(more, [...abc, ['3', 'g', true]]), {
      expectedBytes: 6,
      actualBytes: 7,
    });
  });

  it('are checked as soon as all of them are announced', async () => {
    const writer = layerWriter({ expected });
    writer.sink.announce([1, 3, 2]);
    for (const sizes of [[1, 3], [1, 3, 2, 1], [3, 1, 2], []]) {
      await refuses(writer, 'layers-mismatch', () => writer.sink.announce(sizes));
    }
  });

  it('are refused before anything arrives if they can never be stored', async () => {
    const writer = layerWriter({ maxObjectBytes: 6 });
    writer.sink.announce([1, 5]);
    await refuses(writer, 'object-too-large', () => writer.sink.announce([1, 6]));
    assert.throws(() => layerWriter({ maxObjectBytes: 6, expected: [7] }), ProblemError);
  });
});

describe('layers', () => {
  it('are at most 255, and none is empty', async () => {
    const writer = layerWriter();
    await give(writer, [['254', 'x']]);
    completed(writer);
    const more = layerWriter();
    await refuses(more, 'invalid-body', () => give(more, [['255', 'x']]));
    const empty = layerWriter();
    await refuses(empty, 'invalid-body', () => give(empty, [['0', '']]));
  });

  it('wait for memory, and hold none if the request has ended', async () => {
    const full = layerWriter({ expected: [4] }, countingArena(3));
    await assert.rejects(async () => full.sink.prepare(), ArenaFullError);
    const arena = countingArena();
    let grant = (): void => undefined;
    const later: Arena = {
      ...arena,
      tryAllocate: () => undefined,
      allocate: (bytes) =>
        new Promise((resolve) => {
          grant = () => resolve(arena.tryAllocate(bytes) ?? assert.fail('no room'));
        }),
    };
    const writer = layerWriter({ expected: [4] }, later);
    const waiting = writer.sink.prepare();
    writer.sink.discard();
    grant();
    await waiting;
    assert.equal(arena.used, 0);
  });
});
