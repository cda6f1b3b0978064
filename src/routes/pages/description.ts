import { readFileSync } from 'node:fs';
import { type Document, makeDocument } from '../../http/response/document.ts';
import { packageFile, runsFromSources } from '../../os/package-files.ts';

/** openapi.yaml unchanged, and the same as JSON. */
export interface Description {
  readonly yaml: Document;
  readonly json: Document;
}

/**
 * The build puts both forms into dist, so that production needs no YAML parser. Run from the sources
 * they are not there: then openapi.yaml is read where it is written, and parsed.
 */
export async function loadDescription(): Promise<Description> {
  if (!runsFromSources)
    return describe(readText('dist/openapi.yaml'), readText('dist/openapi.json'));
  const yaml = readText('openapi.yaml');
  const { parse } = await import('yaml');
  return describe(yaml, `${JSON.stringify(parse(yaml))}\n`);
}

const readText = (name: string): string => readFileSync(packageFile(name), 'utf8');

const describe = (yaml: string, json: string): Description => ({
  yaml: makeDocument('application/yaml; charset=utf-8', yaml),
  json: makeDocument('application/json; charset=utf-8', json),
});
