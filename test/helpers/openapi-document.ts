import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };

export interface HeaderObject {
  required?: boolean;
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
  responses: Record<string, ResponseObject>;
}

export interface OpenApiDocument {
  paths: Record<string, Record<string, OperationObject>>;
  components: { responses: Record<string, ResponseObject>; schemas: Record<string, Json> };
}

/** The path template and the operation a request belongs to; no operation when only the path is known. */
export interface FoundOperation {
  template: string;
  methods: string[];
  operation: OperationObject | undefined;
}

export const documentFile = new URL('../../openapi.yaml', import.meta.url);
export const openApiDocument = parse(readFileSync(documentFile, 'utf8')) as OpenApiDocument;

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** `{key}` takes slashes and may be empty (a fault of the request, not another resource); the rest is one segment. */
function templatePattern(template: string): RegExp {
  const source = template
    .split(/(\{[^}]+\})/)
    .map((part) => {
      if (part === '{key}') return '.*';
      return part.startsWith('{') ? '[^/]+' : part.replace(/[.*+?^$()[\]|\\]/g, '\\$&');
    })
    .join('');
  // The page is the same with a slash at its end.
  return new RegExp(`^${source}${template === '/docs' ? '/?' : ''}$`, 's');
}

const templates = Object.entries(openApiDocument.paths).map(([template, item]) => ({
  template,
  pattern: templatePattern(template),
  item,
}));

/** Follows a local reference; what stands beside `$ref` wins, as OpenAPI 3.1 allows for descriptions. */
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

/** Finds the operation of a raw request target, query and all; HEAD is answered as GET where it is not described. */
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
