/**
 * Loaded into a gateway before its code: counts the calls of each function of dist in the worker. At each
 * SIGUSR2 the worker writes the counts since the last one to a file, and starts again at zero.
 *
 * WALK_FILE names the files: WALK_FILE.1, WALK_FILE.2 and so on.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import process from 'node:process';

const dist = new URL('../../dist/', import.meta.url).href;
/** V8 reports the fields of a class as a function with this name; its constructor is already counted. */
const fieldInitializer = '<instance_members_initializer>';
const file = process.env['WALK_FILE'];

if (file !== undefined && process.argv[2] === 'worker') {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  let taken = 0;
  process.on('SIGUSR2', () => {
    session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      taken += 1;
      // The reader waits for the final name, so a file with that name is complete.
      const next = `${file}.next`;
      writeFileSync(next, JSON.stringify(error === null ? calledIn(coverage.result) : []));
      renameSync(next, `${file}.${taken}`);
    });
  });
}

/** Each function that was called, by its position in dist. */
function calledIn(scripts) {
  return scripts
    .filter(({ url }) => url.startsWith(dist))
    .flatMap(({ url, functions }) =>
      functions
        .map(({ functionName, ranges: [{ startOffset, count }] }) => ({
          file: decodeURIComponent(url.slice(dist.length)),
          offset: startOffset,
          name: functionName,
          calls: count,
        }))
        .filter(({ name, calls }) => calls > 0 && name !== fieldInitializer),
    );
}
