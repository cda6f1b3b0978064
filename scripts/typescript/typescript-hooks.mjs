/** The module hook of load-typescript.mjs. On Node 20 it runs in a separate thread. */
import { fileURLToPath } from 'node:url';
import { javaScriptOf } from './typescript-cache.mjs';

export function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  return { format: 'module', source: javaScriptOf(fileURLToPath(url)), shortCircuit: true };
}
