import { existsSync, readFileSync } from 'node:fs';
import { type Document, makeDocument } from '../http/document.ts';

/** openapi.yaml as it stands, and the same as JSON. */
export interface Description {
  readonly yaml: Document;
  readonly json: Document;
}

/**
 * The build puts both forms into dist, so that production needs no YAML parser. Run from the sources
 * they are not there: then openapi.yaml is read where it is written, and parsed.
 */
export async function loadDescription(): Promise<Description> {
  const built = new URL('../openapi.json', import.meta.url);
  if (existsSync(built)) {
    return describe(readText('../openapi.yaml'), readFileSync(built, 'utf8'));
  }
  const yaml = readText('../../openapi.yaml');
  const { parse } = await import('yaml');
  return describe(yaml, `${JSON.stringify(parse(yaml))}\n`);
}

const readText = (relative: string): string =>
  readFileSync(new URL(relative, import.meta.url), 'utf8');

const describe = (yaml: string, json: string): Description => ({
  yaml: makeDocument('application/yaml; charset=utf-8', yaml),
  json: makeDocument('application/json; charset=utf-8', json),
});
