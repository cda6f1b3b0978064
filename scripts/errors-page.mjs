/** The text of docs/errors.md, from the tables that the gateway itself answers by; run through tsx. */
import { problemKinds } from '../src/errors.ts';
import { mmcCodes } from '../src/native/codes.ts';
import { problemOfCode } from '../src/store/engine-problem.ts';

const head = `# Errors

<!-- Generated from src/errors.ts and src/native/codes.ts by \`npm run generate\`; edit the tables, not this page. -->

Every error on every path is \`application/problem+json\` (RFC 9457):

\`\`\`json
{
  "type": "/problems/object-exists",
  "title": "There is already an object with this key",
  "status": 409,
  "detail": "There is already an object with this key.",
  "instance": "/v1/objects/kv/block-7",
  "code": -3006,
  "name": "MMC_DUPLICATED_OBJECT",
  "retryable": false,
  "requestId": "01JD8Z7Q4M6W"
}
\`\`\`

- \`type\` is stable, and the path of a page that says what follows here. \`title\` and \`detail\` are for
  people and may change.
- \`code\` and \`name\` are the engine's own; they are there when the engine is the source.
- \`retryable\` says whether the same request can succeed later. Then \`Retry-After\` says after how many
  seconds. In a single case it may differ from the table: a read that timed out can be tried again, a
  put not, since it may have happened.
- \`requestId\` is also in \`X-Request-Id\`, and in the gateway's log.

HEAD has no body: the status, \`X-Request-Id\` and \`Retry-After\` tell.

## Problems
`;

const codesHead = `
## What the engine's codes become

0 is success. Any other code is a failure, documented or not; one that is not in this table is answered
with 502 \`engine-fault\`, its number kept.

−1 is the engine's answer to many things, so it is never passed on where more can be found out. After a
get the key is asked for again: gone is 404, another length is read once more and then 409, being written
is 404 with \`Retry-After\`. After a put: a value larger than the pool is 413, replicas or services that
cannot be had are 422, no room is 507. What remains unexplained is 500 \`engine-error\`, or 503 for a read.

| code | name | meaning | problem |
|---|---|---|---|
`;

function problemSection([slug, { status, title, help, retryAfter }]) {
  const advice =
    retryAfter === undefined
      ? 'Not retryable.'
      : `Retryable, after ${retryAfter} second${retryAfter === 1 ? '' : 's'} unless \`Retry-After\` says otherwise.`;
  return `\n### ${slug}\n\n${status}. **${title}.** ${help} ${advice}\n`;
}

function codeRow({ code, name, meaning }) {
  const { slug } = problemOfCode('read', code);
  const { status } = problemKinds[slug];
  return `| ${String(code).replace('-', '−')} | \`${name}\` | ${meaning} | ${status} [\`${slug}\`](#${slug}) |\n`;
}

export function errorsPage() {
  const problems = Object.entries(problemKinds).sort(([, a], [, b]) => a.status - b.status);
  const codes = mmcCodes.filter(({ name }) => name.startsWith('MMC_') && name !== 'MMC_OK');
  return `${head}${problems.map(problemSection).join('')}${codesHead}${codes.map(codeRow).join('')}`;
}
