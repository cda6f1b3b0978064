/** The generated files of the client: the parts of openapi.yaml that it uses. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');

/** The schemas of the responses that the client reads as JSON. */
const used = [
  ...['KeyInfo', 'BatchFailure'],
  ...['BatchPutItem', 'BatchExistsItem', 'LeadingKeys', 'BatchInfoItem', 'BatchRemoveItem'],
  ...['BufferPutItem', 'BufferGetItem', 'Buffer'],
];

const readDescription = () => parse(fs.readFileSync(path.join(root, 'openapi.yaml'), 'utf8'));

/** The types of these schemas and of those that they refer to. */
export async function clientTypes() {
  const { astToString, COMMENT_HEADER, default: toTypes } = await import('openapi-typescript');
  const { openapi, info, components } = readDescription();
  const schemas = {};
  const add = (name) => {
    if (schemas[name] !== undefined) return;
    schemas[name] = components.schemas[name];
    const text = JSON.stringify(schemas[name]);
    for (const [, other] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) add(other);
  };
  for (const name of used) add(name);
  const part = { openapi, info, paths: {}, components: { schemas } };
  return COMMENT_HEADER + astToString(await toTypes(part));
}

/** The kinds of problems, which are the keys of the examples of problem responses. */
export function problemSlugs() {
  const { responses } = readDescription().components;
  const slugs = Object.values(responses).flatMap(({ content }) =>
    Object.keys(content?.['application/problem+json']?.examples ?? {}),
  );
  const lines = [...new Set(slugs)].sort().map((slug) => `  '${slug}',\n`);
  return `/** Generated from openapi.yaml by scripts/generate.mjs: every kind of problem. */
export const problemSlugs = [
${lines.join('')}] as const;

export type ProblemSlug = (typeof problemSlugs)[number];
`;
}
