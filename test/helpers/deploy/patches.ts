/** Patches of kustomize: the operations of RFC 6902, and merges in which lists have names as keys. */

export interface Tree {
  [name: string]: unknown;
}

export interface Operation {
  readonly op: 'add' | 'move' | 'remove' | 'replace';
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws when an operation refers to a member that does not exist. */
export function applyOperations(root: Tree, operations: readonly Operation[]): void {
  for (const { op, path, from = '', value } of operations) {
    if (op === 'move') put(root, path, take(root, from));
    else if (op === 'remove') take(root, path);
    else {
      if (op === 'replace') take(root, path);
      put(root, path, value);
    }
  }
}

/** The object or list that holds the last part of a pointer, and that part. */
function locate(root: Tree, pointer: string): { holder: unknown; last: string } {
  const parts = pointer.split('/').slice(1);
  const names = parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = names.pop() ?? '';
  let holder: unknown = root;
  for (const name of names) holder = (holder as Tree | undefined)?.[name];
  if (typeof holder !== 'object' || holder === null) throw new Error(`no such place: ${pointer}`);
  return { holder, last };
}

function put(root: Tree, pointer: string, value: unknown): void {
  const { holder, last } = locate(root, pointer);
  if (!Array.isArray(holder)) (holder as Tree)[last] = value;
  else holder.splice(last === '-' ? holder.length : Number(last), 0, value);
}

function take(root: Tree, pointer: string): unknown {
  const { holder, last } = locate(root, pointer);
  const members = holder as Tree;
  if (!(last in members)) throw new Error(`no such member: ${pointer}`);
  const value = members[last];
  if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else Reflect.deleteProperty(members, last);
  return value;
}

/** Merges `patch` into `into`. Lists of objects with names merge by name, those of the patch first, as in kustomize. */
export function mergePatch(into: Tree, patch: Tree): void {
  for (const [name, value] of Object.entries(patch)) {
    const old = into[name];
    if (isTree(old) && isTree(value)) mergePatch(old, value);
    else if (isNamedList(old) && isNamedList(value)) into[name] = mergeLists(old, value);
    else into[name] = value;
  }
}

type NamedList = (Tree & { readonly name: string })[];

const isNamedList = (value: unknown): value is NamedList =>
  Array.isArray(value) && value.length > 0 && value.every((each) => isTree(each) && 'name' in each);

function mergeLists(old: NamedList, patch: NamedList): NamedList {
  const merged = patch.map((each) => {
    const found = old.find(({ name }) => name === each.name);
    if (found === undefined) return each;
    mergePatch(found, each);
    return found;
  });
  return [...merged, ...old.filter((each) => !merged.includes(each))];
}
