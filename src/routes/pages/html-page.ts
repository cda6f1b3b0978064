import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { prefersHtml } from '../../http/request/media-type.ts';
import { type Document, makeDocument, sendDocument } from '../../http/response/document.ts';
import { htmlText } from '../../http/response/html.ts';

const STYLE = `
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
code { font: 0.9em ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 1rem 0.3rem 0; }
tr + tr { border-top: 1px solid #8884; }
`;

/** The Content-Security-Policy of a plain page: only the style above, identified by its digest. */
export const plainPagePolicy = {
  'default-src': ["'none'"],
  'style-src': [`'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** A whole page. `title` is text; `head` and `body` are HTML. */
export const htmlPage = (title: string, head: string, body: string): Document =>
  makeDocument('text/html; charset=utf-8', htmlText(title, head, body));

/** A page of text without scripts. `title` is text, `body` is HTML. */
export const plainPage = (title: string, body: string): Document =>
  htmlPage(title, `<style>${STYLE}</style>`, body);

export const jsonDocument = (value: unknown): Document =>
  makeDocument('application/json; charset=utf-8', `${JSON.stringify(value)}\n`);

/** The same content for people and for programs. */
export interface Forms {
  readonly html: Document;
  readonly json: Document;
}

/** The page for browsers, otherwise the JSON. */
export function sendForm(req: IncomingMessage, res: ServerResponse, forms: Forms): void {
  res.setHeader('Vary', 'Accept');
  sendDocument(req, res, prefersHtml(req) ? forms.html : forms.json);
}
