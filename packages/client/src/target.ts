/** The parts of a request that are in its target: the key, and the placement of the value. */

/** The action of a put if the object exists: `fail` is the default. */
export type IfExists = 'fail' | 'keep' | 'replace';

/** Where an object is stored, and what happens if it exists. */
export interface Placement {
  /** Copies in the memory of different services, 1…8; 1 by default. */
  readonly replicas?: number | undefined;
  /** Ids of the services that must hold them. */
  readonly prefer?: readonly number[] | undefined;
  readonly ifExists?: IfExists | undefined;
}

/** Layers in the form of the query. */
export interface LayerNames {
  readonly sizes?: string | undefined;
  readonly layout?: string | undefined;
  readonly select?: string | undefined;
}

/** Keys that URL parsers remove in every form, so that no path can contain them. */
export const isDotKey = (key: string): boolean => key === '.' || key === '..';

/** The key in a path. URL parsers also resolve encoded dots, so slashes next to them are encoded. */
export function pathOfKey(key: string): string {
  const encoded = encodeURIComponent(key);
  return /(?:^|\/)\.\.?(?:\/|$)/.test(key) ? encoded : encoded.replaceAll('%2F', '/');
}

export function queryOf(names: Placement & LayerNames): string {
  const { replicas, prefer, ifExists, sizes, layout, select } = names;
  const query = new URLSearchParams();
  if (replicas !== undefined) query.set('replicas', String(replicas));
  if (prefer !== undefined && prefer.length > 0) query.set('prefer', prefer.join(','));
  if (ifExists !== undefined) query.set('ifExists', ifExists);
  if (sizes !== undefined) query.set('sizes', sizes);
  if (layout !== undefined) query.set('layout', layout);
  if (select !== undefined) query.set('select', select);
  return query.size === 0 ? '' : `?${query}`;
}
