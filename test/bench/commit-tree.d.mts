export class CommitTreeError extends Error {}

export function buildCommit(commit: string, root?: string): { hash: string; folder: string };
