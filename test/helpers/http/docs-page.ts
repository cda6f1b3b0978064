/** Opens and watches the page /docs in Chromium, and tries out its operations. */
import type { Browser, Locator, Page } from 'playwright-core';
import { type OperationObject, openApiDocument } from '../openapi/openapi-document.ts';

const tags = openApiDocument.tags.map(({ name }) => name);
const placeOf = ({ tags: [tag] }: OperationObject): number => tags.indexOf(tag ?? '');

/** All operations of openapi.yaml, in the order of the page: by tag, and else as they are written. */
export const operations = Object.values(openApiDocument.paths)
  .flatMap((item) =>
    Object.entries(item).flatMap(([name, value]) => (name === 'parameters' ? [] : [value])),
  )
  .sort((a, b) => placeOf(a) - placeOf(b));

export interface DocsPage {
  page: Page;
  /** Errors and warnings of the console, violations of the policy, exceptions of scripts. */
  complaints: string[];
  /** The origins of all requests that the page sends. */
  origins: Set<string>;
}

/** Opens an empty page and records its complaints and requests. */
export async function watchPage(browser: Browser): Promise<DocsPage> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
  const complaints: string[] = [];
  const origins = new Set<string>();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith('blob:')) origins.add(new URL(request.url()).origin);
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  return { page, complaints, origins };
}

/** Opens /docs of the gateway at `url`, and waits until all operations are shown. */
export async function openDocs(browser: Browser, url: string): Promise<DocsPage> {
  const docs = await watchPage(browser);
  await docs.page.goto(`${url}/docs`);
  await docs.page
    .locator('.opblock')
    .nth(operations.length - 1)
    .waitFor();
  return docs;
}

export interface TriedOperation {
  /** The part of the page that shows the operation. */
  section: Locator;
  /** The part of `section` that shows the response. */
  answer: Locator;
  /** The text of `answer`. */
  shown: string;
  status: string | undefined;
}

/** Opens an operation, executes it, and returns the response that the page then shows. */
export async function tryOut(
  page: Page,
  operationId: string,
  prepare: (section: Locator) => Promise<unknown> = async () => {},
): Promise<TriedOperation> {
  const section = await openSection(page, operationId);
  await section.locator('.try-out__btn').click();
  await prepare(section);
  await section.locator('button.execute').click();
  const answer = section.locator('.live-responses-table').first();
  const status = await answer.locator('tbody .response-col_status').first().textContent();
  const shown = (await answer.textContent()) ?? '';
  return { section, answer, shown, status: status?.trim() };
}

/** Opens an operation; resolves when all of it is shown. */
export async function openSection(page: Page, operationId: string): Promise<Locator> {
  const tag = operations.find((operation) => operation.operationId === operationId)?.tags[0];
  const section = page.locator(`#operations-${tag ?? ''}-${operationId}`);
  await section.locator('.opblock-summary-control').click();
  await section.locator('.responses-table .response').last().waitFor();
  return section;
}

/** Closes an operation that is open. */
export const closeSection = (section: Locator): Promise<void> =>
  section.locator('.opblock-summary-control').click();
