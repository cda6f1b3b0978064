import { existsSync } from 'node:fs';
import { after } from 'node:test';
import { type Browser, chromium } from 'playwright-core';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

let launched: Promise<Browser> | undefined;
after(async () => (await launched)?.close());

/** Returns the Chromium of this process, which is closed after all of its tests. */
export const sharedChromium = (): Promise<Browser> => (launched ??= launchChromium());

/** Starts Debian's Chromium without background traffic; playwright-core contains no browser. */
async function launchChromium(): Promise<Browser> {
  if (!existsSync(executablePath)) {
    throw new Error(
      `no Chromium at ${executablePath}: install it (apt-get install chromium) or name one in CHROMIUM`,
    );
  }
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
