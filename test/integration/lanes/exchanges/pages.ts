/** Operations, pages and unknown paths, which only Express serves. */
import { type Exchange, one } from './exchange.ts';

const pages = ['/', '/docs', '/openapi.json', '/openapi.yaml', '/problems', '/problems/no-room'];
const operations = ['/livez', '/readyz', '/metrics'];
const nowhere = [
  ...['/none', '/v1', '/v1/objects', '/V1/objects/a', '/v1/Objects/a', '/v2/x?y', '/v1/batch/copy'],
  ...['//', '//v1/objects/a', '/v1//objects/a', '/livez/', '/LIVEZ', '/%zz', '/v1/batch/get/'],
];

export const others: Readonly<Record<string, readonly Exchange[]>> = {
  'operations and pages': [...operations, ...pages].flatMap((path): Exchange[] => [
    one(200, 'GET', path),
    one(200, 'HEAD', path),
    one(405, 'POST', path),
    one(400, 'GET', path, { 'Content-Length': 1e9 }),
    one(400, 'HEAD', path, { 'Transfer-Encoding': 'chunked' }),
  ]),
  'unknown paths': nowhere.flatMap((path): Exchange[] => [
    one(404, 'GET', path),
    one(404, 'PUT', path, {}, 'x'),
  ]),
};
