// Preloaded into a measured process. SIGUSR2 starts a CPU profile; the next one writes it, with the
// processor time since the first, to the file in PROFILE_FILE.
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

const file = process.env.PROFILE_FILE;
const isMeasured = process.argv[2] === 'worker' || !process.argv[1]?.endsWith('main.js');

async function toggle(state) {
  const { session } = state;
  if (state.usage === undefined) {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
    state.usage = process.cpuUsage();
    writeFileSync(`${file}.started`, '');
    return;
  }
  const { user, system } = process.cpuUsage(state.usage);
  const { profile } = await session.post('Profiler.stop');
  writeFileSync(`${file}.part`, JSON.stringify({ cpuUs: user + system, profile }));
  renameSync(`${file}.part`, file);
}

if (isMeasured) {
  const session = new Session();
  session.connect();
  const state = { session, usage: undefined };
  process.on('SIGUSR2', () => void toggle(state));
}
