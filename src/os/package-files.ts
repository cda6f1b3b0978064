/** Files of this package beside its code, wherever the build has put the code. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = findRoot(new URL('.', import.meta.url));

/** The absolute path of a file or folder; `name` is relative to the folder of package.json. */
export function packageFile(name: string): string {
  return fileURLToPath(new URL(name, root));
}

/** Whether the program runs from src, without a build. */
export const runsFromSources = import.meta.url.endsWith('.ts');

/** The nearest folder that contains package.json. */
function findRoot(folder: URL): URL {
  if (existsSync(new URL('package.json', folder))) return folder;
  const parent = new URL('..', folder);
  if (parent.href === folder.href) throw new Error('no package.json above the program');
  return findRoot(parent);
}
