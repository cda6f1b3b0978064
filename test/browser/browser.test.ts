/** One process, so that all suites share one Chromium: its start takes longer than most of their tests. */
import './client.ts';
import './docs.ts';
import './downloads.ts';
import './other-sites.ts';
import './status-page.ts';
