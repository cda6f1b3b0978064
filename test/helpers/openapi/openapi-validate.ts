import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { isProblemSlug, problemKinds } from '../../../src/errors/problems.ts';
import { type Json, openApiDocument, type ResponseObject, resolve } from './openapi-document.ts';

/** Headers of the connection, the message and the browser's protection: the same everywhere, so not described. */
const GENERAL_HEADERS = new Set([
  'connection',
  'content-length',
  'content-security-policy',
  'content-type',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'date',
  'keep-alive',
  'origin-agent-cluster',
  'referrer-policy',
  'strict-transport-security',
  'transfer-encoding',
  'vary',
  'x-content-type-options',
  'x-dns-prefetch-control',
  'x-download-options',
  'x-frame-options',
  'x-permitted-cross-domain-policies',
  'x-xss-protection',
]);

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
(formats as unknown as (instance: Ajv2020) => void)(ajv);
ajv.addFormat('binary', true);

/** Schemas refer to one another as `#/components/schemas/X`; ajv needs them in one schema. */
function withDefinitions(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withDefinitions);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => [
      name,
      name === '$ref' && typeof value === 'string'
        ? value.replace('#/components/schemas/', 'components#/$defs/')
        : withDefinitions(value),
    ]),
  );
}

ajv.addSchema({ $id: 'components', $defs: withDefinitions(openApiDocument.components.schemas) });
const compiled = new Map<object, ValidateFunction>();

function validatorOf(schema: object): ValidateFunction {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = ajv.compile(withDefinitions(schema) as object);
    compiled.set(schema, validate);
  }
  return validate;
}

function explain(validate: ValidateFunction): string {
  return (validate.errors ?? [])
    .map(({ instancePath, message, params }) => {
      const extra = (params as { additionalProperty?: string }).additionalProperty;
      return `${instancePath || 'it'} ${message ?? ''}${extra === undefined ? '' : ` (${extra})`}`;
    })
    .join('; ');
}

/** Checks that each declared header is present and valid, and that there is no other. */
export function checkHeaders(
  declared: NonNullable<ResponseObject['headers']>,
  status: number,
  headers: Map<string, string>,
  faults: string[],
): void {
  const known = new Set<string>();
  for (const [name, reference] of Object.entries(declared)) {
    const header = resolve(reference);
    if (header['x-only-with']?.includes(status) === false) continue;
    known.add(name.toLowerCase());
    const value = headers.get(name.toLowerCase());
    if (value === undefined) {
      const isRequired = header.required === true || header['x-required-with']?.includes(status);
      if (isRequired === true) faults.push(`header ${name} is missing`);
      continue;
    }
    const isInteger = header.schema.type === 'integer';
    const typed = isInteger && /^-?[0-9]+$/.test(value) ? Number(value) : value;
    const validate = validatorOf(header.schema);
    if (!validate(typed)) faults.push(`header ${name}: "${value}": ${explain(validate)}`);
  }
  for (const name of headers.keys()) {
    const general = GENERAL_HEADERS.has(name) || name.startsWith('access-control-');
    if (!general && !known.has(name)) faults.push(`header ${name} is not declared`);
  }
}

/** Checks rules between the members of a problem, its table and its headers, which no schema can express. */
function checkProblem(
  problem: Json,
  { status, problems }: BodyOwner,
  headers: Map<string, string>,
  faults: string[],
): void {
  if (typeof problem !== 'object' || problem === null || Array.isArray(problem)) return;
  const type = problem['type'];
  const slug = typeof type === 'string' ? type.replace('/problems/', '') : '';
  if (!isProblemSlug(slug)) faults.push(`problem ${slug} is not in src/errors/problems.ts`);
  else if (problemKinds[slug].status !== status)
    faults.push(`problem ${slug} goes with ${problemKinds[slug].status}, not with ${status}`);
  if (problems?.has(slug) === false) faults.push(`problem ${slug} is not declared`);
  if (problem['status'] !== status) faults.push('the member status is not the status');
  if (problem['requestId'] !== headers.get('x-request-id'))
    faults.push('the member requestId is not X-Request-Id');
  if (problem['retryable'] === true && !headers.has('retry-after'))
    faults.push('a retryable problem has no Retry-After');
}

interface BodyOwner {
  method: string;
  status: number;
  body?: Uint8Array | string | undefined;
  /** The problems that the operation can have; undefined when the request has no operation. */
  problems: ReadonlySet<string> | undefined;
}

/** Checks the body of a response: its content type, its length, and for JSON its schema. */
export function checkBody(
  received: BodyOwner,
  content: ResponseObject['content'],
  headers: Map<string, string>,
  faults: string[],
): void {
  const { method } = received;
  const body = received.body ?? '';
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  if (method === 'HEAD' || content === undefined) {
    if (bytes > 0) faults.push(`a body of ${bytes} bytes where none is declared`);
    return;
  }
  const length = headers.get('content-length');
  if (length !== undefined && Number(length) !== bytes)
    faults.push(`Content-Length is ${length}, the body has ${bytes} bytes`);
  const type = (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const media = content[type];
  if (media === undefined) {
    faults.push(`content type "${type}" is not declared (${Object.keys(content).join(', ')})`);
    return;
  }
  if (!/[/+]json$/.test(type)) return;
  let value: Json;
  try {
    const text =
      typeof body === 'string' ? body : new TextDecoder('utf-8', { fatal: true }).decode(body);
    value = JSON.parse(text) as Json;
  } catch (error) {
    faults.push(`the body is not JSON: ${String(error)}`);
    return;
  }
  if (media.schema !== undefined) {
    const validate = validatorOf(media.schema as object);
    if (!validate(value)) faults.push(`body: ${explain(validate)}`);
  }
  if (type === 'application/problem+json') checkProblem(value, received, headers, faults);
}
