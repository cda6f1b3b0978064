import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  isProblemSlug,
  ProblemError,
  type ProblemSlug,
  problemKinds,
} from '../../errors/problems.ts';
import { escapeHtml } from '../../http/response/html.ts';
import { type Forms, jsonDocument, plainPage, sendForm } from './html-page.ts';

const slugs = (Object.keys(problemKinds) as ProblemSlug[]).sort(
  (a, b) => problemKinds[a].status - problemKinds[b].status,
);

/** A kind as clients see it: its type is a path on this gateway. */
const kindOf = (slug: ProblemSlug) => ({ type: `/problems/${slug}`, ...problemKinds[slug] });

function advice(slug: ProblemSlug): string {
  const kind = problemKinds[slug];
  if (!kind.retryable) return 'The same request, unchanged, will fail again.';
  const seconds = 'retryAfter' in kind ? kind.retryAfter : 1;
  const wait = seconds === 1 ? 'about a second' : `about ${seconds} seconds`;
  return `The same request can succeed later: wait for ${wait}, or as Retry-After says.`;
}

function formsOf(slug: ProblemSlug): Forms {
  const { title, status, help } = problemKinds[slug];
  return {
    html: plainPage(
      title,
      `<p><a href="/problems">All problems</a></p>
<h1>${escapeHtml(title)}</h1>
<p><code>${slug}</code>, sent with status ${status}</p>
<p>${escapeHtml(help)}</p>
<p>${advice(slug)}</p>`,
    ),
    json: jsonDocument(kindOf(slug)),
  };
}

function listForms(): Forms {
  const rows = slugs.map((slug) => {
    const { status, title } = problemKinds[slug];
    return `<tr><td>${status}</td><td><a href="/problems/${slug}"><code>${slug}</code></a></td><td>${escapeHtml(title)}</td></tr>`;
  });
  return {
    html: plainPage(
      'Problems',
      `<h1>Problems</h1>
<p>Every error of this gateway is <code>application/problem+json</code>; its <code>type</code> is one of these.</p>
<table>
<tr><th>Status</th><th>Problem</th><th>What happened</th></tr>
${rows.join('\n')}
</table>`,
    ),
    json: jsonDocument({ problems: slugs.map(kindOf) }),
  };
}

const list = listForms();
const pages = new Map(slugs.map((slug) => [slug, formsOf(slug)]));

/** GET /problems: all kinds, as a page for browsers, else as JSON. */
export function listProblems(req: IncomingMessage, res: ServerResponse): void {
  sendForm(req, res, list);
}

/** GET /problems/{slug}: one kind. Throws `no-such-resource` for an unknown slug. */
export function getProblem(req: IncomingMessage, res: ServerResponse, slug: string): void {
  const forms = isProblemSlug(slug) ? pages.get(slug) : undefined;
  if (forms === undefined) {
    throw new ProblemError('no-such-resource', {
      detail: 'No problem has this slug; GET /problems lists all slugs.',
    });
  }
  sendForm(req, res, forms);
}
