// The command line of npm run bench.
import { parseArgs } from 'node:util';

const DEFAULTS = { rounds: 5, pairs: 9, seconds: 3 };

const options = {
  against: { type: 'string' },
  pairs: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  help: { type: 'boolean', default: false },
};

/**
 * Reads the arguments; throws an error with a message for the user when one is wrong. `targets` are
 * the valid names without --against, and `rows` are those with it.
 */
export function readArguments(args, { targets, rows }) {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const { against, help } = values;
  const isComparison = against !== undefined;
  if (against === '') throw new Error('--against needs a commit');
  if (isComparison && values.rounds !== undefined) {
    throw new Error('--rounds is for a run without --against; use --pairs');
  }
  if (!isComparison && values.pairs !== undefined) throw new Error('--pairs needs --against');
  const known = isComparison ? rows : targets;
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const where = isComparison ? ' to compare' : '';
    throw new Error(`no benchmark${where} is named ${unknown.join(', ')}; see --help`);
  }
  const number = (name) => wholeNumber(name, values[name]);
  return {
    help,
    against,
    names: positionals.length > 0 ? positionals : known,
    seconds: number('seconds'),
    ...(isComparison ? { pairs: number('pairs') } : { rounds: number('rounds') }),
  };
}

function wholeNumber(name, text) {
  if (text === undefined) return DEFAULTS[name];
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw new Error(`--${name}: "${text}" is not a whole number from 1 to 999999`);
  }
  return Number(text);
}

export const helpText = ({
  targets,
  rows,
}) => `npm run bench -- [NAME...] [--rounds 5] [--seconds 3]

Measures the gateway of the working tree beside bare node:http servers, in rounds, and compares the
ratios with targets. Exits with 1 when a target is missed.
Names: ${targets.join(', ')}

npm run bench -- --against COMMIT [NAME...] [--pairs 9] [--seconds 3]

Builds COMMIT (a hash, a branch or a tag) in node_modules/.cache/bench-against/HASH and measures the
working tree and COMMIT in turn. The folder is kept for the next run; "git worktree remove --force" removes it.
Each pair of measurements has gateways of its own and gives a ratio: the rate of the tree to the rate of
COMMIT. The order within a pair alternates. A row prints the median of the ratios, its 95 % interval (by order statistics, from 6
pairs on) and the median rates of both.
A row is ok when the median is at least 0.97 (1.0 in asynchronous rows: slow engine and batches), or
when the interval includes 1. Exits with 1 when a row is not ok. Fewer than 6 pairs give no verdict.
Names: ${rows.join(', ')}

  --pairs N     pairs of measurements in each row, with --against; 9 by default
  --rounds N    rounds of each benchmark, without --against; 5 by default
  --seconds N   length of a measurement; 3 by default
  --help        this text
`;
