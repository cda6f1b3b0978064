import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readContext, readDockerfile } from '../../../scripts/build/dockerfile.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (name: string) => readFileSync(path.join(root, name), 'utf8');

const example = `# a comment
ARG V=1
FROM node:\${V} AS build
WORKDIR /app
COPY a b.json ./
RUN make it && \\
  make it well
# in between
FROM node:slim
WORKDIR /srv
COPY --from=build /app/out ./out
ENV A=1 B=two
EXPOSE 80
USER node
HEALTHCHECK --interval=10s \\
  CMD ["node", "-e", "0"]
ENTRYPOINT ["node", "main.js"]
`;

describe('readDockerfile', () => {
  it('finds the stages with their steps in order, and the start of the image', () => {
    assert.deepEqual(readDockerfile(example), [
      {
        name: 'build',
        workdir: '/app',
        env: {},
        user: undefined,
        steps: [
          { copy: ['a', 'b.json'], to: './', from: undefined },
          { run: 'make it && make it well' },
        ],
      },
      {
        name: undefined,
        workdir: '/srv',
        env: { A: '1', B: 'two' },
        user: 'node',
        steps: [{ copy: ['/app/out'], to: './out', from: 'build' }],
        healthcheck: ['node', '-e', '0'],
        entrypoint: ['node', 'main.js'],
      },
    ]);
  });

  it('refuses unknown instructions, which otherwise would not be checked', () => {
    for (const line of ['ADD x /x', 'COPY --chown=node x /x', 'SHELL ["bash"]']) {
      assert.throws(() => readDockerfile(`FROM scratch\n${line}\n`), /is not understood/, line);
    }
  });
});

describe('the Dockerfile', () => {
  it('copies only existing files that .dockerignore does not exclude', () => {
    const context = readContext(read('.dockerignore'));
    for (const { steps } of readDockerfile(read('Dockerfile'))) {
      for (const step of steps) {
        if (!('copy' in step) || step.from !== undefined) continue;
        for (const name of step.copy) {
          const [first = ''] = name.split('/');
          assert.ok(context.includes(first), `${name} is kept out of the context`);
          assert.ok(existsSync(path.join(root, name)), name);
        }
      }
    }
  });
});
