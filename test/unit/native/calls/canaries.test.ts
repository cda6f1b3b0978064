import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Canaries } from '../../../../src/native/calls/canaries.ts';

const lengths = [
  1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 100, 1024, 65_535, 65_536, 1_048_576,
  3_000_001,
];

describe('Canaries', () => {
  for (const length of lengths) {
    it(`distinguishes an unchanged block of ${length} bytes from a written one, in both attempts`, () => {
      const memory = Buffer.alloc(length + 128);
      const canaries = new Canaries();
      for (const start of [0, 64]) {
        for (const attempt of [0, 1] as const) {
          canaries.renew();
          memory.fill(0);
          canaries.plant(memory, start, length, attempt);
          assert.equal(canaries.leftInPlace(memory, start, length, attempt), true);
          const outside = [memory.subarray(0, start), memory.subarray(start + length)];
          assert.ok(outside.every((bytes) => bytes.every((byte) => byte === 0)));
          // Below 8 bytes a random value may equal the marks, but not their inverse as well.
          const value =
            length < 8
              ? memory.subarray(start, start + length).map((byte) => byte ^ 0xff)
              : randomBytes(length);
          memory.set(value, start);
          assert.equal(canaries.leftInPlace(memory, start, length, attempt), false);
        }
      }
    });
  }

  for (const length of lengths.filter((each) => each >= 16)) {
    it(`detects that the first or the last 8 of ${length} bytes were not written`, () => {
      const canaries = new Canaries();
      const memory = Buffer.alloc(length);
      const value = randomBytes(length);
      for (const [from, to] of [
        [8, length],
        [0, length - 8],
      ] as const) {
        canaries.renew();
        canaries.plant(memory, 0, length, 0);
        value.copy(memory, from, from, to);
        assert.equal(canaries.leftInPlace(memory, 0, length, 0), true);
      }
    });
  }

  it('usually detects a piece in the middle that was not written', () => {
    const length = 8_994_816;
    const canaries = new Canaries();
    const memory = Buffer.alloc(length);
    const value = randomBytes(length);
    let noticed = 0;
    for (let round = 0; round < 20; round++) {
      canaries.renew();
      canaries.plant(memory, 0, length, 0);
      value.copy(memory, 0, 0, length / 4);
      value.copy(memory, (length * 3) / 4, (length * 3) / 4);
      if (canaries.leftInPlace(memory, 0, length, 0)) noticed++;
    }
    // Fourteen places between, half of the bytes: missed once in 16,000 reads.
    assert.ok(noticed >= 19, `${noticed} of 20`);
  });

  it('never distrusts a value of 1 to 7 bytes in both attempts', () => {
    const canaries = new Canaries();
    const memory = Buffer.alloc(8);
    let once = 0;
    for (let value = 0; value < 256; value++) {
      for (let round = 0; round < 20; round++) {
        canaries.renew();
        const doubtful = ([0, 1] as const).map((attempt) => {
          canaries.plant(memory, 0, 1, attempt);
          memory[0] = value;
          return canaries.leftInPlace(memory, 0, 1, attempt);
        });
        assert.notDeepEqual(doubtful, [true, true]);
        if (doubtful[0] === true) once++;
      }
    }
    assert.ok(once > 0, 'the coincidence that the second attempt is for does occur');
  });

  it('derives different marks for each read, attempt and place', () => {
    const canaries = new Canaries();
    const marks = new Set<string>();
    for (let round = 0; round < 100; round++) {
      canaries.renew();
      for (const start of [0, 64, 128]) {
        for (const attempt of [0, 1] as const) {
          const memory = Buffer.alloc(256);
          canaries.plant(memory, start, 16, attempt);
          marks.add(memory.toString('hex', start, start + 16));
        }
      }
    }
    assert.equal(marks.size, 600);
  });
});
