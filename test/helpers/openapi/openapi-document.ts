import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };

export interface HeaderObject {
  required?: boolean;
  /** The statuses of problems that may have it, and those that must. */
  'x-only-with'?: readonly number[];
  'x-required-with'?: readonly number[];
  schema: { type: string };
}

export interface ResponseObject {
  description: string;
  headers?: Record<string, HeaderObject>;
  content?: Record<string, { schema?: Json; examples?: Record<string, { value: Json }> }>;
}

export interface OperationObject {
  operationId: string;
  tags: string[];
  /** The scope that a token needs. */
  'x-scope'?: string;
  /** The problems that the operation can have: slugs and names of groups. */
  'x-problems': readonly string[];
  responses: Record<string, ResponseObject>;
}

export interface OpenApiDocument {
  info: { description: string };
  tags: readonly { name: string }[];
  'x-problem-groups': Record<string, readonly string[]>;
  paths: Record<string, Record<string, OperationObject>>;
  components: { responses: Record<string, ResponseObject>; schemas: Record<string, Json> };
}

/** The path template and the operation of a request; no operation when only the path is described. */
export interface FoundOperation {
  template: string;
  methods: string[];
  operation: OperationObject | undefined;
}

export const documentFile = new URL('../../../openapi.yaml', import.meta.url);
const cacheFile = fileURLToPath(
  new URL('../../../node_modules/.cache/openapi-document.json', import.meta.url),
);
export const openApiDocument = await readDocument();

/** Reads the document. Parsing takes a fifth of a second in most test files, so a file caches the JSON. */
async function readDocument(): Promise<OpenApiDocument> {
  const text = readFileSync(documentFile, 'utf8');
  const digest = createHash('sha256').update(text).digest('hex');
  const kept = keptDocument();
  if (kept?.digest === digest) return kept.document;
  const { parse } = await import('yaml');
  const document = parse(text) as OpenApiDocument;
  keep({ digest, document });
  return document;
}

interface Kept {
  readonly digest: string;
  readonly document: OpenApiDocument;
}

/** Writes the whole file or none, since other test files read it. */
function keep(kept: Kept): void {
  const unfinished = `${cacheFile}.${process.pid}`;
  try {
    writeFileSync(unfinished, JSON.stringify(kept));
    renameSync(unfinished, cacheFile);
  } catch {
    // The folder is not writable, so the document is parsed each time.
  }
}

/** Returns the cached document; undefined when there is none yet. */
function keptDocument(): Kept | undefined {
  try {
    return JSON.parse(readFileSync(cacheFile, 'utf8')) as Kept;
  } catch {
    return undefined;
  }
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** `{key}` matches slashes and may be empty, which is a fault of the request; other names match one segment. */
function templatePattern(template: string): RegExp {
  const source = template
    .split(/(\{[^}]+\})/)
    .map((part) => {
      if (part === '{key}') return '.*';
      return part.startsWith('{') ? '[^/]+' : part.replace(/[.*+?^$()[\]|\\]/g, '\\$&');
    })
    .join('');
  // /docs is the same page with a slash at its end.
  return new RegExp(`^${source}${template === '/docs' ? '/?' : ''}$`, 's');
}

const templates = Object.entries(openApiDocument.paths).map(([template, item]) => ({
  template,
  pattern: templatePattern(template),
  item,
}));

/** Follows a local reference; members beside `$ref` win, as OpenAPI 3.1 allows for descriptions. */
export function resolve<T extends object>(node: T): T {
  const reference = (node as { $ref?: string }).$ref;
  if (reference === undefined) return node;
  let target: unknown = openApiDocument;
  for (const step of reference.replace(/^#\//, '').split('/')) {
    target = (target as Record<string, unknown>)[step.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  if (target === undefined) throw new Error(`openapi.yaml: ${reference} points nowhere`);
  const whole = { ...resolve(target as T), ...node } as { $ref?: string };
  delete whole.$ref;
  return whole as T;
}

/** The slugs of all problems that an operation can have. */
export const problemsOf = (operation: OperationObject): Set<string> =>
  new Set(
    operation['x-problems'].flatMap((name) => openApiDocument['x-problem-groups'][name] ?? [name]),
  );

/** Finds the operation of a raw request target with its query; an undescribed HEAD counts as GET. */
export function findOperation(method: string, target: string): FoundOperation | undefined {
  const path = target.split('?', 1)[0] ?? '';
  const found = templates.find(({ pattern }) => pattern.test(path));
  if (found === undefined) return undefined;
  const { template, item } = found;
  const methods = METHODS.filter((name) => name in item).map((name) => name.toUpperCase());
  const name = method.toLowerCase();
  const described = METHODS.includes(name) ? item[name] : undefined;
  return { template, methods, operation: described ?? (name === 'head' ? item['get'] : undefined) };
}
