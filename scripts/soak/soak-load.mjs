/** The load of the soak run: callers that put, get, delete and batch, and check every byte. */
import { bytesOf, createBook } from './soak-values.mjs';

const keysOfCaller = 24;
export const requestMs = 20_000;

/** Mostly small, some large, like the objects of a cache of blocks. */
function randomLength() {
  const largest = Math.random() < 0.1 ? 512 * 1024 : 8 * 1024;
  return 1 + Math.floor(Math.random() * largest);
}

/** Figures of all callers together; `faults` are violations, everything else is only printed. */
export function createFigures() {
  return { requests: 0, checkedBytes: 0, cutOff: 0, refused: 0, missing: 0, faults: [] };
}

/** Sends requests to an address. Rejects with a TimeoutError when there is no response in time. */
export const fetchFrom = (url) => async (method, path, body, headers) => {
  const signal = AbortSignal.timeout(requestMs);
  const response = await fetch(`${url}${path}`, { method, body, headers, signal });
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
};

/** Sends one request after another with `send` until the signal is aborted; never rejects. */
export async function runCaller(name, send, signal, figures) {
  const book = createBook();
  let version = 0;
  const randomKey = () => `soak-${name}-${Math.floor(Math.random() * keysOfCaller)}`;
  const newValue = () => {
    version += 1;
    return { version, length: randomLength() };
  };
  const fault = (text) => figures.faults.push(text);

  /** The response, or undefined if the connection was cut off, as by a dying worker. */
  async function ask(method, path, body, headers = {}) {
    figures.requests += 1;
    try {
      const response = await send(method, path, body, headers);
      if (response.status >= 500) figures.refused += 1;
      return response;
    } catch (error) {
      if (error.name === 'TimeoutError') fault(`${method} ${path} hung for ${requestMs} ms`);
      else figures.cutOff += 1;
      return undefined;
    }
  }

  function checkBytes(key, bytes, operation) {
    figures.checkedBytes += bytes.length;
    if (!book.check(key, bytes)) fault(`${operation} ${key}: ${bytes.length} wrong bytes`);
  }

  function expectStatus(operation, key, status, known) {
    // 5xx: the worker or the engine is unavailable now.
    if (status < 500 && !known.includes(status)) fault(`${operation} ${key}: status ${status}`);
  }

  /** 201 confirms the value; 409 means that another value is stored; without a response both are possible. */
  function noteOfPut(key, value, status) {
    if (status === 201) book.has(key, value);
    else if (status === undefined || status >= 500) book.mayHave(key, value);
  }

  const operations = {
    async put() {
      const key = randomKey();
      const value = newValue();
      const answer = await ask('PUT', `/v1/objects/${key}`, bytesOf(key, value));
      noteOfPut(key, value, answer?.status);
      if (answer) expectStatus('PUT', key, answer.status, [201, 409]);
    },

    async get() {
      const key = randomKey();
      const answer = await ask('GET', `/v1/objects/${key}`);
      if (answer === undefined) return;
      expectStatus('GET', key, answer.status, [200, 404]);
      if (answer.status === 200) checkBytes(key, answer.bytes, 'GET');
      if (answer.status === 404) figures.missing += 1;
    },

    async remove() {
      const key = randomKey();
      const answer = await ask('DELETE', `/v1/objects/${key}`);
      if (answer === undefined) return;
      expectStatus('DELETE', key, answer.status, [204, 404]);
      if (answer.status === 204) book.gone(key);
    },

    async batchPut() {
      const keys = [...new Set(Array.from({ length: 8 }, randomKey))];
      const values = new Map(keys.map((key) => [key, newValue()]));
      const items = keys.map((key) => ({
        key,
        value: bytesOf(key, values.get(key)).toString('base64'),
      }));
      const answered = await batch('put', { items }, [201, 409]);
      for (const key of keys) noteOfPut(key, values.get(key), answered?.get(key)?.status);
    },

    async batchGet() {
      const keys = [...new Set(Array.from({ length: 8 }, randomKey))];
      const answered = await batch('get', { keys }, [200, 404]);
      for (const [key, { status, value }] of answered ?? []) {
        if (status === 200) checkBytes(key, Buffer.from(value, 'base64'), 'batch get');
      }
    },

    async batchRemove() {
      const keys = [...new Set(Array.from({ length: 4 }, randomKey))];
      const answered = await batch('remove', { keys }, [204, 404]);
      for (const [key, { status }] of answered ?? []) if (status === 204) book.gone(key);
    },
  };

  /** Items by key; undefined without a complete response. */
  async function batch(kind, body, known) {
    const headers = { 'Content-Type': 'application/json', Accept: 'application/json' };
    const answer = await ask('POST', `/v1/batch/${kind}`, JSON.stringify(body), headers);
    if (answer === undefined || answer.status >= 500) return undefined;
    expectStatus(`batch ${kind}`, '', answer.status, [200]);
    if (answer.status !== 200) return undefined;
    const { items } = JSON.parse(answer.bytes.toString());
    for (const { key, status } of items) expectStatus(`batch ${kind}`, key, status, known);
    return new Map(items.map((item) => [item.key, item]));
  }

  const { put, get, remove, batchPut, batchGet, batchRemove } = operations;
  const mix = [put, put, put, get, get, get, get, get, remove, batchPut, batchGet, batchRemove];
  while (!signal.aborted) {
    const refusedBefore = figures.refused + figures.cutOff;
    await mix[Math.floor(Math.random() * mix.length)]().catch((error) => fault(String(error)));
    // While no worker serves, a loop without a pause would only measure itself.
    if (figures.refused + figures.cutOff > refusedBefore) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
