/** Calls of one kind to the process at the other end of the channel. A response repeats the id of its call. */
export class RpcClient<Reply, Request = void> {
  readonly #send: (id: number, request: Request) => void;
  readonly #pending = new Map<number, (response: Reply | undefined) => void>();
  #nextId = 1;
  #hasEnded = false;

  /** `send` sends a call with this id. */
  constructor(send: (id: number, request: Request) => void) {
    this.#send = send;
  }

  /** Resolves with the response, or with undefined when there is none within `deadlineMs`. */
  call(deadlineMs: number, request: Request): Promise<Reply | undefined> {
    if (this.#hasEnded) return Promise.resolve(undefined);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(id, undefined), deadlineMs);
      this.#pending.set(id, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      this.#send(id, request);
    });
  }

  /** Call this for each response; one that is late or has no call is dropped. */
  responded(id: number, response: Reply): void {
    this.#settle(id, response);
  }

  /** The other process has ended: no call gets a response, and none waits for one. */
  end(): void {
    this.#hasEnded = true;
    for (const id of [...this.#pending.keys()]) this.#settle(id, undefined);
  }

  #settle(id: number, response: Reply | undefined): void {
    this.#pending.get(id)?.(response);
    this.#pending.delete(id);
  }
}
