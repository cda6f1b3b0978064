import { type ProblemError, problemKinds } from '../errors/problems.ts';
import { encodeKey } from '../http/request/target.ts';
import { escapeHtml } from '../http/response/html.ts';
import { bytes } from './numbers.ts';

/** An object of the pool, or why it could not be looked up. */
export interface Lookup {
  readonly key: string;
  readonly outcome:
    | ProblemError
    | {
        readonly size: number;
        readonly replicas: readonly { readonly serviceId: number; readonly medium: string }[];
      };
}

/** The form needs no script: it sends the key in the address of this page. */
export function lookupPart(lookup: Lookup | undefined): string {
  return `<form action="/" method="get">
<label>Key <input name="key" value="${escapeHtml(lookup?.key ?? '')}" maxlength="255" autocomplete="off" autocapitalize="off" spellcheck="false"></label>
<button>Look up</button>
</form>
${lookup === undefined ? '' : outcomeOf(lookup)}`;
}

function outcomeOf({ key, outcome }: Lookup): string {
  if ('slug' in outcome) {
    const { title } = problemKinds[outcome.slug];
    return `<div role="status"><p class="bad">${escapeHtml(title)}</p>
<p>${escapeHtml(outcome.message)}</p>
<p><a href="/problems/${outcome.slug}">${outcome.slug}</a></p></div>`;
  }
  const { size, replicas } = outcome;
  const places = replicas.map(
    ({ serviceId, medium }) => `${escapeHtml(medium)} of service ${serviceId}`,
  );
  return `<dl role="status">
<dt>Key</dt><dd><code>${escapeHtml(key)}</code></dd>
<dt>Size</dt><dd>${size.toLocaleString('en-US')} bytes (${bytes(size)})</dd>
<dt>Replicas</dt><dd>${replicas.length}${places.length === 0 ? '' : `: ${places.join(', ')}`}</dd>
<dt>Object</dt><dd><a href="/v1/objects/${escapeHtml(encodeKey(key))}">Download</a></dd>
</dl>`;
}
