/**
 * Lets workers accept connections by themselves. All ready workers accept at the same time, and no
 * worker gets far ahead of another: each may accept a window of connections more than the one with the
 * fewest. A worker that is full, or accepts none while connections wait, does not count until it can accept.
 * The supervisor accepts while no worker can.
 */

import { createRate } from './rate.ts';

/** A worker of the pool. */
export interface AcceptingWorker {
  /** Whether it takes connections, however busy, and responds. */
  readonly serving: boolean;
  /** Whether its engine calls hang. */
  readonly degraded: boolean;
  /** Whether it can accept by itself. */
  readonly accepts: boolean;
  /**
   * Lets it accept until it has accepted `connections` since the message with a new epoch. It responds
   * to a new epoch with the number of connections that it has accepted.
   */
  permit(epoch: number, connections: number): void;
}

/** Connections that a worker has accepted in an epoch. */
export interface AcceptReport {
  readonly epoch: number;
  readonly connections: number;
  /** Whether it accepts none until it has confirmed another epoch. */
  readonly isFull: boolean;
}

export interface AcceptWindowsOptions<Worker extends AcceptingWorker> {
  readonly workers: readonly Worker[];
  /** Whether the supervisor accepts. @throws when that cannot be changed now */
  readonly setAccepting: (isWanted: boolean) => void;
  /** Whether a connection waits in the kernel's queue. */
  readonly hasWaiting: () => boolean;
}

interface Member<Worker> {
  readonly worker: Worker;
  epoch: number;
  /** Connections of this epoch that it has reported. */
  accepted: number;
  permitted: number;
  /** Added to `accepted` to compare it with others that began earlier. */
  head: number;
  /** Whether it is full, or has accepted none while connections waited, and has not confirmed its epoch. */
  isBehind: boolean;
  /** Checks in a row at which connections waited and it had accepted none. */
  idleChecks: number;
  /** `accepted` at the last check. */
  seen: number;
}

/** The only worker needs no limit. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;
/** A window of more would not save messages that matter. */
const MAX_WINDOW = 64;
/** A window is at most this part of the connections of each worker in a second. */
const PART = 10;
const checkMs = 50;
/** The longest pause between checks while no connection waits: an idle gateway uses no processor time. */
const MAX_CHECK_MS = 400;
/** Half a second: a shorter pause may be a worker that loads code, or a busy machine. */
const MAX_IDLE_CHECKS = 10;

export class AcceptWindows<Worker extends AcceptingWorker> {
  readonly #options: AcceptWindowsOptions<Worker>;
  readonly #recent = createRate();
  #members: Member<Worker>[] = [];
  #epoch = 0;
  #isOpen = false;
  #timer: NodeJS.Timeout | undefined;
  #checkMs = checkMs;

  constructor(options: AcceptWindowsOptions<Worker>) {
    this.#options = options;
  }

  /** From now on workers may accept. */
  open(): void {
    this.#isOpen = true;
    this.update();
  }

  /** From now on the supervisor accepts. */
  close(): void {
    this.#isOpen = false;
    this.update();
  }

  /** Call this when a worker has begun or ceased to serve. */
  update(): void {
    const workers = this.#isOpen ? this.#eligible() : [];
    const isAlone = workers.length === 1;
    for (const { worker } of this.#members) {
      if (!workers.includes(worker)) worker.permit(this.#nextEpoch(), 0);
    }
    // A worker without a limit gets one in a new epoch.
    const staying = this.#members.filter(
      ({ worker, permitted }) => workers.includes(worker) && (isAlone || permitted !== UNLIMITED),
    );
    const joining = workers.filter((worker) => !staying.some((member) => member.worker === worker));
    const head = lowest(staying);
    this.#members = [...staying, ...joining.map((worker) => this.#join(worker, head))];
    this.#setOwn(workers.length === 0);
    this.#permit();
    this.#watch();
  }

  accepted(worker: Worker, { epoch, connections, isFull }: AcceptReport): void {
    const member = this.#members.find((one) => one.worker === worker && one.epoch === epoch);
    if (member === undefined) return;
    this.#recent.add(connections - member.accepted);
    member.accepted = connections;
    // A full worker that is behind reports again once it has room.
    if (isFull && !member.isBehind) this.#leaveBehind(member);
    if (!isFull && member.isBehind) this.#catchUp(member);
    this.#permit();
    this.#watch();
  }

  /** None when one of them cannot accept by itself: it would get no connection. */
  #eligible(): Worker[] {
    const serving = this.#options.workers.filter((worker) => worker.serving);
    const healthy = serving.filter((worker) => !worker.degraded);
    const eligible = healthy.length > 0 ? healthy : serving;
    return eligible.every((worker) => worker.accepts) ? eligible : [];
  }

  #join(worker: Worker, head: number): Member<Worker> {
    const counts = { accepted: 0, permitted: 0, seen: 0, idleChecks: 0 };
    return { worker, epoch: this.#nextEpoch(), ...counts, head, isBehind: false };
  }

  #nextEpoch(): number {
    this.#epoch += 1;
    return this.#epoch;
  }

  #setOwn(isWanted: boolean): void {
    try {
      this.#options.setAccepting(isWanted);
    } catch {
      // Without a free descriptor; one becomes free with the next connection that ends.
      setTimeout(() => this.update(), checkMs).unref();
    }
  }

  /** The worker responds to the new epoch once it can accept. */
  #leaveBehind(member: Member<Worker>): void {
    member.isBehind = true;
    member.head += member.accepted;
    member.accepted = 0;
    member.seen = 0;
    member.idleChecks = 0;
    member.epoch = this.#nextEpoch();
    member.permitted = this.#window();
    member.worker.permit(member.epoch, member.permitted);
  }

  /** The worker does not make up for the connections that the others got while it stalled: that would be a burst. */
  #catchUp(member: Member<Worker>): void {
    member.isBehind = false;
    const others = this.#members.filter((other) => other !== member);
    member.head = Math.max(member.head, lowest(others) - member.accepted);
  }

  #permit(): void {
    const [first, second] = this.#members;
    if (first !== undefined && second === undefined) {
      this.#send(first, UNLIMITED);
      return;
    }
    const window = this.#window();
    const most = lowest(this.#members) + window;
    for (const member of this.#members) {
      if (member.isBehind) continue;
      const permitted = most - member.head;
      const isUsedUp = member.accepted >= member.permitted;
      const isWorthwhile = isUsedUp || permitted - member.permitted >= window / 2;
      if (permitted > member.permitted && isWorthwhile) this.#send(member, permitted);
    }
  }

  #send(member: Member<Worker>, permitted: number): void {
    if (member.permitted === permitted) return;
    member.permitted = permitted;
    member.worker.permit(member.epoch, permitted);
  }

  #window(): number {
    const each = this.#recent.perSecond() / this.#members.length;
    return Math.min(MAX_WINDOW, Math.max(1, Math.floor(each / PART)));
  }

  /** Checks while a worker has used up its window and waits for another. */
  #watch(): void {
    const isBlocked = this.#members.some(isExhausted);
    if (!isBlocked) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#checkMs = checkMs;
    } else this.#timer ??= setTimeout(() => this.#check(), this.#checkMs).unref();
  }

  #check(): void {
    this.#timer = undefined;
    const isWaiting = this.#options.hasWaiting();
    this.#checkMs = isWaiting ? checkMs : Math.min(2 * this.#checkMs, MAX_CHECK_MS);
    for (const member of this.#members) {
      const isIdle = isWaiting && !isExhausted(member) && member.accepted === member.seen;
      member.seen = member.accepted;
      member.idleChecks = isIdle ? member.idleChecks + 1 : 0;
      if (member.idleChecks >= MAX_IDLE_CHECKS && !member.isBehind) this.#leaveBehind(member);
    }
    this.#permit();
    this.#watch();
  }
}

const isExhausted = ({ accepted, permitted }: Member<unknown>): boolean => accepted >= permitted;

/** The connections of the worker with the fewest, of those that are not behind. */
function lowest(members: readonly Member<unknown>[]): number {
  const current = members.filter(({ isBehind }) => !isBehind);
  const counted = current.length > 0 ? current : members;
  return counted.length === 0
    ? 0
    : Math.min(...counted.map(({ head, accepted }) => head + accepted));
}
