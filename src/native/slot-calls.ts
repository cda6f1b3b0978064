import type { NativeFunction } from './abi.ts';
import { MMC_INVALID_PARAM, MMC_LEASE_EXPIRED, MMC_OK, UNTRUSTED_READ } from './codes.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import type { NativeBlock } from './native-block.ts';
import type { CallResult, DataInfo, EngineOperation, PutOptions } from './types.ts';

/**
 * One asynchronous call with one key, on a slot that is its own until `finish`. The single
 * operations of the client and the probe are made of these.
 */
type Finish<Result> = (result: Result) => void;
type Fail = (error: Error) => void;

/** Makes an asynchronous call; koffi's own refusals come out as failures, too. */
export function callNative<Arguments extends readonly unknown[]>(
  nativeFunction: NativeFunction<Arguments>,
  args: Arguments,
  finish: Finish<number>,
  fail: Fail,
): void {
  try {
    nativeFunction.async(...args, (error, code) => {
      if (error === null) finish(code);
      else fail(error);
    });
  } catch (error) {
    fail(error as Error);
  }
}

/** Makes a call and reports it to whoever listens; `done` tells how many bytes it moved. */
export function submit<Arguments extends readonly unknown[]>(
  context: EngineContext,
  operation: EngineOperation,
  nativeFunction: NativeFunction<Arguments>,
  args: Arguments,
  done: (code: number, elapsedMs: number) => number,
  fail: Fail,
): void {
  const start = performance.now();
  const finish = (code: number): void => {
    const elapsedMs = performance.now() - start;
    const bytes = done(code, elapsedMs);
    context.onCall?.(operation, code, elapsedMs, bytes);
  };
  callNative(nativeFunction, args, finish, fail);
}

/** Later, so that a queue of unsendable keys does not recurse through the slots. */
export function refuse<Result>(finish: Finish<Result>, result: Result): void {
  queueMicrotask(() => finish(result));
}

export function getOnSlot(
  context: EngineContext,
  slot: Slot,
  key: string,
  block: NativeBlock,
  length: number,
  finish: Finish<CallResult>,
  fail: Fail,
): void {
  const { args, canaries } = slot;
  if (!args.setKey(key)) {
    refuse(finish, { code: MMC_INVALID_PARAM, elapsedMs: 0 });
    return;
  }
  args.setBuffer(0, block, length);
  canaries.renew();
  const attempt = (number: 0 | 1): void => {
    canaries.plant(block.memory, block.start, length, number);
    submit(
      context,
      'get',
      context.functions.mmcc_get,
      [args.keys, args.structs, 0],
      (code, elapsedMs) => {
        const untrusted =
          code === MMC_OK &&
          (elapsedMs > context.slowReadMs ||
            canaries.leftInPlace(block.memory, block.start, length, number));
        if (number === 0 && (untrusted || code === MMC_LEASE_EXPIRED)) attempt(1);
        else finish({ code: untrusted ? UNTRUSTED_READ : code, elapsedMs });
        return code === MMC_OK ? length : 0;
      },
      fail,
    );
  };
  attempt(0);
}

export function putOnSlot(
  context: EngineContext,
  slot: Slot,
  key: string,
  block: NativeBlock,
  length: number,
  options: PutOptions,
  finish: Finish<number>,
  fail: Fail,
): void {
  const { args } = slot;
  if (!args.setKey(key) || !args.setOptions(options)) {
    refuse(finish, MMC_INVALID_PARAM);
    return;
  }
  args.setBuffer(0, block, length);
  submit(
    context,
    'put',
    context.functions.mmcc_put,
    [args.keys, args.structs, args.optionsValue, 0],
    (code) => {
      finish(code);
      return code === MMC_OK ? length : 0;
    },
    fail,
  );
}

export function queryOnSlot(
  context: EngineContext,
  slot: Slot,
  key: string,
  finish: Finish<{ code: number; info: DataInfo }>,
  fail: Fail,
): void {
  const { args } = slot;
  if (!args.setKey(key)) {
    refuse(finish, { code: MMC_INVALID_PARAM, info: { valid: false, size: 0, replicas: [] } });
    return;
  }
  args.clearInfos(1);
  submit(
    context,
    'query',
    context.functions.mmcc_query,
    [args.keys, args.structs, 0],
    (code) => {
      // A success that wrote nothing is no answer.
      const answered = code !== MMC_OK || args.infoWritten(0);
      finish({ code: answered ? code : -1, info: args.info(0) });
      return 0;
    },
    fail,
  );
}

export function keyOnSlot(
  context: EngineContext,
  slot: Slot,
  operation: 'exist' | 'remove',
  key: string,
  finish: Finish<number>,
  fail: Fail,
): void {
  const { args } = slot;
  if (!args.setKey(key)) {
    refuse(finish, MMC_INVALID_PARAM);
    return;
  }
  submit(
    context,
    operation,
    operation === 'exist' ? context.functions.mmcc_exist : context.functions.mmcc_remove,
    [args.keys, 0],
    (code) => {
      finish(code);
      return 0;
    },
    fail,
  );
}
