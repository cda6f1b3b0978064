import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendDocument } from '../../http/response/document.ts';
import { links } from '../../status-page/links.ts';
import { jsonDocument } from './html-page.ts';

const document = jsonDocument({
  name: 'memcache-gateway',
  links: links.map(({ path, description }) => ({ href: path, description })),
});

/** GET / for programs: where to go from here. Browsers get the status page. */
export function getStartPage(req: IncomingMessage, res: ServerResponse): void {
  res.setHeader('Vary', 'Accept');
  sendDocument(req, res, document);
}
