/**
 * The part of kustomize that deploy/kubernetes uses, so that its tests need no kubectl: resources, components,
 * patches, namespace, labels, images, and files of config maps. A test compares it with kubectl.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { applyOperations, mergePatch, type Operation, type Tree } from './patches.ts';

export interface Manifest extends Tree {
  readonly apiVersion: string;
  kind: string;
  readonly metadata: { readonly name: string; namespace?: string; labels?: Record<string, string> };
}

export interface Kustomization {
  readonly namespace?: string;
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly labels?: readonly { readonly pairs: Readonly<Record<string, string>> }[];
  readonly images?: readonly { readonly name: string; readonly newTag: string }[];
  readonly configMapGenerator?: readonly { readonly name: string; readonly files: string[] }[];
  readonly patches?: readonly {
    readonly path: string;
    readonly target?: { readonly kind: string; readonly name: string };
  }[];
}

const fileName = 'kustomization.yaml';

export function readKustomization(folder: string): Kustomization {
  return parse(readFileSync(path.join(folder, fileName), 'utf8')) as Kustomization;
}

/** The files and folders that a kustomization names, relative to its folder. */
export const namedBy = (kustomization: Kustomization): string[] => [
  ...(kustomization.resources ?? []),
  ...(kustomization.components ?? []),
  ...(kustomization.patches ?? []).map((patch) => patch.path),
  ...(kustomization.configMapGenerator ?? []).flatMap(({ files }) => files),
];

export function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** Renders a folder. `before` are the manifests to which a component applies. */
export function render(folder: string, before: readonly Manifest[] = []): Manifest[] {
  const kustomization = readKustomization(folder);
  const { resources = [], components = [], configMapGenerator = [], patches = [] } = kustomization;
  let manifests = [...before, ...resources.flatMap((name) => load(path.join(folder, name)))];
  for (const { name, files } of configMapGenerator) {
    const data = files.map((file) => [file, readFileSync(path.join(folder, file), 'utf8')]);
    manifests.push({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: Object.fromEntries(data),
    });
  }
  for (const name of components) manifests = render(path.join(folder, name), manifests);
  for (const patch of patches) applyPatch(folder, patch, manifests);
  for (const manifest of manifests) transform(manifest, kustomization);
  return manifests;
}

function load(target: string): Manifest[] {
  if (existsSync(path.join(target, fileName))) return render(target);
  return manifestsIn(readFileSync(target, 'utf8'));
}

function applyPatch(
  folder: string,
  { path: file, target }: NonNullable<Kustomization['patches']>[number],
  manifests: Manifest[],
): void {
  const patch = parse(readFileSync(path.join(folder, file), 'utf8')) as Operation[] | Manifest;
  const wanted = target ?? namesOf(patch as Manifest);
  const found = manifests.filter(
    ({ kind, metadata }) => kind === wanted.kind && metadata.name === wanted.name,
  );
  const [manifest] = found;
  if (manifest === undefined || found.length > 1) {
    throw new Error(
      `${path.join(folder, file)}: ${found.length} targets ${wanted.kind} ${wanted.name}`,
    );
  }
  if (Array.isArray(patch)) applyOperations(manifest, patch);
  else mergePatch(manifest, patch);
}

const namesOf = ({ kind, metadata: { name } }: Manifest) => ({ kind, name });

function transform(
  manifest: Manifest,
  { namespace, labels = [], images = [] }: Kustomization,
): void {
  const { kind, metadata } = manifest;
  if (namespace !== undefined && kind !== 'Namespace') metadata.namespace = namespace;
  for (const { pairs } of labels) metadata.labels = { ...metadata.labels, ...pairs };
  for (const container of containersOf(manifest)) {
    const image = images.find(({ name }) => name === container.image);
    if (image !== undefined) container.image = `${image.name}:${image.newTag}`;
  }
}

export interface Container extends Tree {
  readonly name: string;
  image: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
}

export function containersOf(manifest: Tree): Container[] {
  const { spec } = manifest as { spec?: { template?: { spec?: { containers?: Container[] } } } };
  return spec?.template?.spec?.containers ?? [];
}
