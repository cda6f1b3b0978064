/**
 * npm run walk [-- NAME...]: the functions of src that a request calls in a worker of the built gateway,
 * their number and that of their files, compared with the aims. `--list` prints the functions.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { walk, walks } from './walk/walk-requests.mjs';

const help = `npm run walk -- [NAME...] [--list] [--times 5]

Sends one request to a warm gateway and counts the functions of src that the worker calls, with the
precise coverage of V8. Only functions that are called in each of --times requests count.

  --list      names each function with its file, its line and its calls
  --times N   requests to count, a whole number from 1; 5 by default

Names: ${Object.keys(walks).join(', ')}; all by default
`;

/** The arguments as options, or a text that names the wrong one. */
function readArguments(args) {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        list: { type: 'boolean', default: false },
        times: { type: 'string', default: '5' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return error.message;
  }
  const { values, positionals } = parsed;
  const unknown = positionals.filter((name) => !Object.hasOwn(walks, name));
  if (unknown.length > 0) return `no walk is named ${unknown.join(', ')}; see --help`;
  if (!/^[1-9]\d{0,3}$/.test(values.times)) {
    return `--times: "${values.times}" is not a whole number from 1 to 9999`;
  }
  const names = positionals.length > 0 ? positionals : Object.keys(walks);
  return { names, list: values.list, times: Number(values.times), help: values.help };
}

const columns = [52, 20, 16, 8];
const row = (cells) =>
  `${cells.map((cell, at) => String(cell).padEnd(columns[at] ?? 0)).join(' ')}`.trimEnd();
const beside = (figure, aim) => `${figure} (aim ${aim})`;

function report(name, called, list) {
  const { title, aims } = walks[name];
  const functions = called.length;
  const files = new Set(called.map(({ file }) => file)).size;
  const calls = called.reduce((sum, each) => sum + each.calls, 0);
  const isReached = functions <= aims.functions && files <= aims.files;
  const verdict = isReached ? 'ok' : 'above the aim';
  const figures = [beside(functions, aims.functions), beside(files, aims.files), calls];
  const lines = [row([title, ...figures, verdict])];
  if (list) {
    const sorted = called.toSorted((a, b) =>
      a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1,
    );
    lines.push(...sorted.map((each) => `  ${each.file}:${each.line} ${each.name} ${each.calls}`));
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

const options = readArguments(process.argv.slice(2));
if (typeof options === 'string') {
  process.stderr.write(`walk: ${options}\n`);
  process.exitCode = 2;
} else if (options.help) {
  process.stdout.write(help);
} else {
  process.stdout.write(`${row(['request', 'functions', 'files', 'calls'])}\n`);
  for (const name of options.names) report(name, await walk(name, options.times), options.list);
}
