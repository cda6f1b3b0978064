import express, { type RequestHandler, type Router } from 'express';
import helmet from 'helmet';
import swaggerUi from 'swagger-ui-express';
import { ProblemError } from '../../errors/problems.ts';
import { announcesBody, bodyNotTaken } from '../../http/request/framing.ts';
import { parseQuery } from '../../http/request/query.ts';
import { parseTarget } from '../../http/request/target.ts';
import { makeDocument, sendDocument } from '../../http/response/document.ts';
import { isEncrypted } from '../../node-internals/node-features.ts';
import { loadDescription } from './description.ts';
import { htmlPage, plainPagePolicy } from './html-page.ts';
import { getProblem, listProblems } from './problems.ts';
import { getStartPage } from './start-page.ts';

const page = htmlPage(
  'memcache-gateway: API',
  `<link rel="icon" type="image/png" href="/docs/favicon-32x32.png" sizes="32x32">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">`,
  `<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/swagger-ui-standalone-preset.js"></script>
<script src="/docs/swagger-ui-init.js"></script>
<script src="/docs/page.js"></script>`,
);

/** Of the responses about tokens, which are the same for each operation, only the description is shown. */
const pageStyle = makeDocument(
  'text/css; charset=utf-8',
  `html { box-sizing: border-box; overflow-y: scroll; }
*, *::before, *::after { box-sizing: inherit; }
body { margin: 0; background: #fafafa; }
.swagger-ui .parameters-col_name { min-width: 9rem; }
.swagger-ui .responses-table .highlight-code > .microlight { max-height: 6.5rem; }
.swagger-ui .responses-table > tbody > tr > td { border-top: 1px solid #3b415140; }
.swagger-ui :is(.parameters, .responses-table) > tbody > tr > td { padding-top: 4px; padding-bottom: 4px; }
.swagger-ui .parameters .renderedMarkdown p { margin: 2px 0; }
.swagger-ui .parameters :is(input, select) { margin: 2px 0; }
.swagger-ui .parameters-container { margin-bottom: 0; }
.swagger-ui .opblock .opblock-section-header { min-height: 36px; padding: 2px 20px; }
.swagger-ui .response-controls, .swagger-ui .model-example { padding-top: 4px; margin-top: 0; }
.swagger-ui .model-example .tab { padding: 0; margin: 0 0 4px; }
.swagger-ui .responses-inner h5 { margin: 2px 0; }
.swagger-ui .response-col_links { display: none; }
.swagger-ui .response:is([data-code="401"], [data-code="403"], [data-code="429"]) :is(.response-controls, .model-example, .headers-wrapper) { display: none; }
.swagger-ui .response:is([data-code="409"], [data-code="416"], [data-code="422"]) :is(.response-controls, .model-example) { display: none; }
.swagger-ui .response:is([data-code="304"], [data-code="412"]) .headers-wrapper { display: none; }
.swagger-ui .headers-wrapper table tr :is(td, th):is(:first-of-type, *) { padding: 0 .5rem 0 0; }
.swagger-ui .headers-wrapper td p { margin: 0; }
`,
);

/** Chooses a file for the PUT of an object, which has no example otherwise: a browser cannot send a text for it. */
const pageScript = makeDocument(
  'text/javascript; charset=utf-8',
  `new MutationObserver(() => {
  const input = document.querySelector('#operations-objects-putObject input[type=file]:not([data-chosen])');
  if (input === null) return;
  input.dataset.chosen = 'true';
  const files = new DataTransfer();
  files.items.add(new File(['hello'], 'hello.bin', { type: 'application/octet-stream' }));
  input.files = files.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
}).observe(document.getElementById('swagger-ui'), { childList: true, subtree: true });
`,
);

/** The files that the page loads, and no other file of the package: its index.html uses an outside server. */
const ASSETS =
  /^\/docs\/(swagger-ui(-bundle|-standalone-preset|-init)?\.(js|css)|favicon-32x32\.png)$/;

/** Has no route parameter, because Express would decode it; a slug needs no encoding. */
const PROBLEM = /^\/problems\/[^/]+$/;

/** Swagger UI needs no inline script nor style; data: is for the arrows in its stylesheet. */
const docsPolicy = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/**
 * Browsers that got a page over plain HTTP ignore the headers about its origin, and say so in their console.
 * Strict-Transport-Security is never sent: it would also hold for the plain listeners of the same host.
 */
function pageSecurity(directives: Record<string, string[]>): RequestHandler {
  const handlerFor = (tls: boolean) =>
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives },
      strictTransportSecurity: false,
      crossOriginOpenerPolicy: tls,
      originAgentCluster: tls,
      xFrameOptions: { action: 'deny' },
    });
  const [plain, secure] = [handlerFor(false), handlerFor(true)];
  return (req, res, next) => (isEncrypted(req.socket) ? secure : plain)(req, res, next);
}

/** Refuses a body, as the data routes do: no code reads it. */
const withoutBody: RequestHandler = (req, _res, next) => {
  if (announcesBody(req)) throw bodyNotTaken(req.method);
  next();
};

/** Unknown query parameters are refused here too (openapi.yaml). */
const withoutQuery: RequestHandler = (req, _res, next) => {
  parseQuery(parseTarget(req.originalUrl).query, []);
  next();
};

const onlyGet: RequestHandler = (req) => {
  throw new ProblemError('method-not-allowed', {
    detail: `${req.method} is not a method of this resource.`,
    headers: { Allow: 'GET, HEAD' },
  });
};

/**
 * The pages for people: / with links to the others, /docs (Swagger UI with all of its parts), /openapi.json, /openapi.yaml and
 * /problems. Faults are thrown as ProblemError, to which the application responds; other paths go on
 * to the next route.
 */
export async function docsRoutes(): Promise<Router> {
  const description = await loadDescription();
  const router = express.Router({ caseSensitive: true, strict: true });
  const docsSecurity = pageSecurity(docsPolicy);
  const plainSecurity = pageSecurity(plainPagePolicy);

  const paths = ['/', '/docs', '/docs/', '/openapi.json', '/openapi.yaml', '/problems', PROBLEM];
  const everything = [...paths, '/docs/page.css', '/docs/page.js', ASSETS];
  router.get(everything, withoutBody);
  router.get(paths, withoutQuery);

  router.get(['/docs', '/docs/'], docsSecurity, (req, res) => {
    sendDocument(req, res, page);
  });
  router.get('/docs/page.css', docsSecurity, (req, res) => {
    sendDocument(req, res, pageStyle);
  });
  router.get('/docs/page.js', docsSecurity, (req, res) => {
    sendDocument(req, res, pageScript);
  });
  router.get(ASSETS, docsSecurity, withoutPrefix, ...swaggerAssets());

  router.get('/openapi.json', (req, res) => {
    sendDocument(req, res, description.json);
  });
  router.get('/openapi.yaml', (req, res) => {
    sendDocument(req, res, description.yaml);
  });

  router.get('/', plainSecurity, getStartPage);
  router.get('/problems', plainSecurity, listProblems);
  router.get(PROBLEM, plainSecurity, (req, res) => {
    getProblem(req, res, req.path.slice('/problems/'.length));
  });

  router.all(everything, onlyGet);
  return router;
}

/** The package's static files are served relative to the mount point; this router has none. */
const withoutPrefix: RequestHandler = (req, _res, next) => {
  req.url = req.url.replace(/^\/docs/, '');
  next();
};

/** `validatorUrl: null`: no badge from an outside server. */
function swaggerAssets(): RequestHandler[] {
  return swaggerUi.serveFiles(undefined, {
    swaggerUrl: '/openapi.json',
    swaggerOptions: {
      layout: 'BaseLayout',
      validatorUrl: null,
      displayRequestDuration: true,
      defaultModelsExpandDepth: 0,
      syntaxHighlight: { activated: true, theme: 'agate' },
    },
  });
}
