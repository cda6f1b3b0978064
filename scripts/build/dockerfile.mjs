/**
 * Parses the Dockerfile, so that its steps can run without a container engine. It supports only what the
 * Dockerfile uses and refuses everything else: a step that is not understood would not be run.
 */

/** Stages in order; each has `name` (of `AS`), `workdir`, `env`, `user`, `entrypoint`, `healthcheck` and `steps`. */
export function readDockerfile(text) {
  const stages = [];
  for (const line of joinedLines(text)) {
    const [, instruction, rest] = /^(\S+)\s+(.*)$/.exec(line);
    if (instruction === 'FROM') stages.push(newStage(rest));
    else if (instruction !== 'ARG') read(stages.at(-1), instruction, rest);
  }
  return stages;
}

function joinedLines(text) {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
}

function newStage(rest) {
  const name = / AS (\S+)$/i.exec(rest)?.[1];
  return { name, workdir: '/', env: {}, user: undefined, steps: [] };
}

function read(stage, instruction, rest) {
  switch (instruction) {
    case 'WORKDIR':
      stage.workdir = rest;
      break;
    case 'ENV':
      for (const [, name, value] of rest.matchAll(/(\w+)=(\S*)/g)) stage.env[name] = value;
      break;
    case 'USER':
      stage.user = rest;
      break;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(rest);
      break;
    case 'HEALTHCHECK':
      stage.healthcheck = JSON.parse(/ CMD (\[.*\])$/.exec(rest)[1]);
      break;
    case 'COPY':
      stage.steps.push(readCopy(rest));
      break;
    case 'RUN':
      stage.steps.push({ run: rest });
      break;
    case 'EXPOSE':
      break;
    default:
      throw new Error(
        `Dockerfile: ${instruction} is not understood by scripts/build/dockerfile.mjs`,
      );
  }
}

/** `from` is a stage, or undefined for the context. */
function readCopy(rest) {
  const words = rest.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--'));
  const from = flags[0] === undefined ? undefined : /^--from=(\w+)$/.exec(flags[0])?.[1];
  if (flags.length > 1 || (flags.length === 1 && from === undefined)) {
    throw new Error(`Dockerfile: COPY ${rest} is not understood by scripts/build/dockerfile.mjs`);
  }
  const names = words.filter((word) => !word.startsWith('--'));
  return { copy: names.slice(0, -1), to: names.at(-1), from };
}

/** The names in the context: .dockerignore excludes everything except names with a `!`. */
export function readContext(text) {
  const [first, ...rest] = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*' || rest.some((line) => !/^![\w.-]+$/.test(line))) {
    throw new Error('.dockerignore: expected *, then only names with a !');
  }
  return rest.map((line) => line.slice(1));
}
