import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_BATCH_KEYS } from '../../../../src/native/abi/limits.ts';
import type { NativeBlock } from '../../../../src/native/arena/native-block.ts';
import {
  ARGUMENT_BYTES,
  CallArguments,
  UNANSWERED,
} from '../../../../src/native/calls/call-arguments.ts';
import type { Address } from '../../../../src/os/libc.ts';

// Above 2^32, so that both words of an address matter.
const address = 0x7f12_3456_8000 as Address;

function fresh() {
  const bytes = Buffer.alloc(ARGUMENT_BYTES + 8, 0xcc);
  const args = new CallArguments({ address, bytes }, 8);
  const at = (place: number): number => place - address;
  const word = (place: number): bigint => bytes.readBigUInt64LE(at(place));
  const text = (place: number): string => {
    const start = at(place);
    return bytes.toString('utf8', start, bytes.indexOf(0, start));
  };
  return { args, bytes, at, word, text };
}

const block = (at: number, length: number) => ({ address: at, length }) as unknown as NativeBlock;

describe('CallArguments', () => {
  it('writes keys one after another, and a pointer to each', () => {
    const { args, word, text } = fresh();
    const keys = ['a', 'ключ', 'x'.repeat(255)];
    assert.equal(args.setKeys(keys), true);
    keys.forEach((key, i) => {
      const place = Number(word(args.pointers + i * 8));
      assert.equal(text(place), key);
    });
  });

  it('accepts one key more than the engine, so that the engine refuses it, and no more', () => {
    const { args, word, text } = fresh();
    const keys = Array.from({ length: MAX_BATCH_KEYS + 1 }, (_, i) => `${i}`.padEnd(300, 'x'));
    assert.equal(args.setKeys(keys), true);
    const last = Number(word(args.pointers + MAX_BATCH_KEYS * 8));
    assert.equal(text(last), keys.at(-1)?.slice(0, 263));
    assert.equal(args.setKeys([...keys, 'more']), false);
  });

  it('refuses a batch with a key that cannot be a C string', () => {
    const { args } = fresh();
    assert.equal(args.setKeys(['a', 'b\0', 'c']), false);
    assert.equal(args.setKey('\ud800'), false);
  });

  it('writes the same key again after a batch or a refused key has overwritten it', () => {
    const { args, text } = fresh();
    args.setKey('abc');
    args.setKeys(['x']);
    args.setKey('abc');
    assert.equal(text(args.keys), 'abc');
    args.setKey('zzzz\0');
    args.setKey('abc');
    assert.equal(text(args.keys), 'abc');
  });

  it('writes mmc_buffer: address at 0, DRAM at 8, offset at 16, length at 24, 32 bytes each', () => {
    const { args, word } = fresh();
    args.setBuffer(0, block(0x7fff_ffff_ffc0, 1), 1);
    args.setBuffer(1, block(0x1_0000_0000, 2 ** 32), 2 ** 32);
    const words = Array.from({ length: 8 }, (_, i) => word(args.structs + i * 8));
    words[1] = BigInt.asUintN(32, words[1] ?? 0n);
    words[5] = BigInt.asUintN(32, words[5] ?? 0n);
    assert.deepEqual(words, [0x7fff_ffff_ffc0n, 1n, 0n, 1n, 0x1_0000_0000n, 1n, 0n, 2n ** 32n]);
  });

  it('writes mmc_put_options: 0, 0, replicas at 8, then eight ids, −1 if unused', () => {
    const { args, bytes, at } = fresh();
    assert.equal(args.setOptions({ replicas: 3, prefer: [0, 101] }), true);
    const start = at(args.options);
    assert.deepEqual([bytes.readUInt16LE(start), bytes.readInt32LE(start + 4)], [0, 0]);
    assert.equal(bytes.readUInt16LE(start + 8), 3);
    const ids = Array.from({ length: 8 }, (_, i) => bytes.readInt32LE(start + 12 + i * 4));
    assert.deepEqual(ids, [0, 101, -1, -1, -1, -1, -1, -1]);
    assert.equal(args.optionsValue.words[2], 3);
  });

  for (const [replicas, prefer] of [
    [-1, []],
    [1.5, []],
    [65_536, []],
    [Number.NaN, []],
    [1, [-1]],
    [1, [2 ** 31]],
    [1, [0.5]],
    [9, [0, 1, 2, 3, 4, 5, 6, 7, 8]],
  ] as [number, number[]][]) {
    it(`refuses ${replicas} replicas on [${prefer.join()}], which do not fit the struct`, () => {
      assert.equal(fresh().args.setOptions({ replicas, prefer }), false);
    });
  }

  it('has space for as many infos of the largest layout as keys, without an overlap', () => {
    const { args } = fresh();
    assert.ok(args.results - args.structs >= (MAX_BATCH_KEYS + 1) * 128);
  });

  for (const infoBytes of [64, 128] as const) {
    it(`reads mmc_data_info of ${infoBytes} bytes: size, count at 10, valid at 11, ids from 12, media from 44`, () => {
      const { args, bytes, at } = fresh();
      args.infoBytes = infoBytes;
      args.clearInfos(2);
      assert.equal(args.infoWritten(1), false);
      assert.deepEqual(args.info(1), { valid: false, size: 0, replicas: [] });
      const start = at(args.structs) + infoBytes;
      bytes.writeBigUInt64LE(2n ** 40n + 5n, start);
      bytes.writeUInt8(3, start + 10);
      bytes.writeUInt8(1, start + 11);
      [7, 4_000_000_000, 9].forEach((id, i) => {
        bytes.writeUInt32LE(id, start + 12 + i * 4);
        bytes.writeUInt16LE(i, start + 44 + i * 2);
      });
      assert.equal(args.infoWritten(1), true);
      assert.equal(args.infoWritten(0), false);
      assert.deepEqual(args.info(1), {
        valid: true,
        size: 2 ** 40 + 5,
        replicas: [
          { serviceId: 7, medium: 'HBM' },
          { serviceId: 4_000_000_000, medium: 'DRAM' },
          { serviceId: 9, medium: 'SSD' },
        ],
      });
    });
  }

  it('gives items without a result the code of the call, or −1 if it succeeded', () => {
    const { args, bytes, at } = fresh();
    args.clearResults(3);
    assert.deepEqual([...args.itemCodes(3, -3014)], [-3014, -3014, -3014]);
    assert.deepEqual([...args.itemCodes(3, 1)], [1, 1, 1]);
    [0, -3006, UNANSWERED].forEach((code, i) => {
      bytes.writeInt32LE(code, at(args.results) + i * 4);
    });
    assert.deepEqual([...args.itemCodes(3, 0)], [0, -3006, -1]);
    assert.deepEqual([...args.itemCodes(3, -1)], [-1, -3006, -1], 'no success in a failed call');
  });
});
