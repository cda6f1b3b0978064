/** The text of docs/errors.md, from the tables that the gateway uses for its responses; run with tsx. */
import { engineCodes } from '../../src/errors/engine-codes.ts';
import { problemKinds } from '../../src/errors/problems.ts';

const head = `# Errors

<!-- Generated from src/errors/problems.ts and src/errors/engine-codes.ts by \`npm run generate\`; edit the tables, not this page. -->

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

- \`type\` is stable. It is the path of a page with the text of the section below. \`title\` and \`detail\`
  are for people and may change.
- \`code\` and \`name\` are those of the engine. They exist only if the engine caused the problem.
- \`retryable\` says whether the same request can succeed later. If so, \`Retry-After\` gives the number of
  seconds to wait. A response may differ from the table: a read that timed out may be retried, but a put
  may not, because it may have happened.
- \`requestId\` is also in \`X-Request-Id\` and in the gateway's log.

A response to HEAD has no body, but has the status, \`X-Request-Id\` and \`Retry-After\`.

## Problems
`;

const codesHead = `
## Codes of the engine

0 is success. Every other code is a failure, documented or not. A code that is not in this table gets 502
\`engine-fault\` with its number.

The engine returns −1 for many reasons, so the gateway finds out the reason where it can:

- After a get, the gateway queries the key. If the object does not exist, the response is 404. If its length
  has changed, the gateway reads once more and then returns 409. If the object is being written, the response
  is 404 with \`Retry-After\`.
- After a put, a value larger than the pool gets 413, an impossible placement gets 422, and a full pool gets
  507.
- If the reason stays unknown, the response is 500 \`engine-error\`, or 503 for a read.

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

function codeRow({ code, name, meaning, problem }) {
  const { status } = problemKinds[problem];
  return `| ${String(code).replace('-', '−')} | \`${name}\` | ${meaning} | ${status} [\`${problem}\`](#${problem}) |\n`;
}

export function errorsPage() {
  const problems = Object.entries(problemKinds).sort(([, a], [, b]) => a.status - b.status);
  const codes = engineCodes.filter(
    ({ problem, source }) => problem !== undefined && source === 'engine',
  );
  return `${head}${problems.map(problemSection).join('')}${codesHead}${codes.map(codeRow).join('')}`;
}
