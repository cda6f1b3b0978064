/** Keys as the client sends them in a path, which neither lane may decode twice or resolve. */
import { encodeKey } from '../../../../src/http/request/target.ts';
import { keyOfBytes } from '../../../helpers/bodies/keys.ts';
import { type Exchange, one } from './exchange.ts';

/** Puts, reads, inspects and removes an object under the same path. */
const served = (path: string): Exchange[] => [
  one(201, 'PUT', `/v1/objects/${path}`, {}, `the value of ${path}`),
  one(200, 'GET', `/v1/objects/${path}`),
  one(200, 'GET', `/v1/info/${path}`),
  one(200, 'HEAD', `/v1/objects/${path}`),
  one(204, 'DELETE', `/v1/objects/${path}`),
];

const refused = (path: string): Exchange[] => [
  one(400, 'GET', `/v1/objects/${path}`),
  one(400, 'HEAD', `/v1/objects/${path}`),
  one(400, 'PUT', `/v1/objects/${path}`, {}, 'x'),
  one(400, 'DELETE', `/v1/objects/${path}`),
  one(400, 'GET', `/v1/info/${path}`),
];

const units = ['k', 'é', '😀'];
const dots = [
  '.',
  '..',
  '../..',
  './a',
  'a/..',
  '/',
  '//',
  '/a',
  '%2E%2E',
  '%2e/x',
  '%2E%2E/livez',
];
const escapes = [
  'a%2Fb',
  '%61',
  'a%3Fb%23c',
  '%25',
  '%252F',
  'a;b',
  'a+b',
  ':id',
  '*',
  '(a)',
  '%7Ba%7D',
];
const control = ['%00', 'a%0Ab', '%1f', '%7F', 'a%0d%0aX-Evil:%201'];
const notUtf8 = ['%ff', '%C0%AF', '%E0%80%AF', '%ED%A0%80', '%ED%B0%80', '%F4%90%80%80', '%E2%82'];

export const keys: Readonly<Record<string, readonly Exchange[]>> = {
  'keys of 1 to 255 bytes, and refused ones of 256': units.flatMap((unit) => [
    ...[1, 254, 255].flatMap((bytes) => served(encodeKey(keyOfBytes(bytes, unit)))),
    ...refused(encodeKey(keyOfBytes(256, unit))),
  ]),
  'keys of dots and slashes': dots.flatMap(served),
  'keys with escapes and with the characters of route patterns': [
    ...escapes.flatMap(served),
    one(201, 'PUT', '/v1/objects/a/b//c', {}, 'x'),
    ...['a/b//c', 'a%2Fb%2f%2Fc', '%61/%62//%63'].map((path) =>
      one(200, 'GET', `/v1/objects/${path}`),
    ),
    ...['a/b/c', 'A/b//c', 'a/b//c/', '/a/b//c'].map((path) =>
      one(404, 'GET', `/v1/objects/${path}`),
    ),
  ],
  'refused keys': [...control, ...notUtf8, '', '%', '%4', 'a%zz', 'a#b'].flatMap(refused),
};
