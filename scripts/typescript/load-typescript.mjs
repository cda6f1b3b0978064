/**
 * Makes Node load TypeScript: `node --import ./scripts/typescript/load-typescript.mjs FILE.ts`. Files keep
 * their URLs, and stack traces show their lines. Every .ts file is an ES module.
 */
import module from 'node:module';
import process from 'node:process';

// Node 20 supports only the form that runs in another thread.
if (module.registerHooks === undefined) module.register('./typescript-hooks.mjs', import.meta.url);
else module.registerHooks(await import('./typescript-hooks.mjs'));
process.setSourceMapsEnabled(true);
