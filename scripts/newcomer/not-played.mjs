/** The blocks of the pages that cannot be played on any machine, each with the reason. */

const container =
  'needs a container engine; scripts/check-dockerfile-steps.mjs runs the steps of the Dockerfile';
const cluster = 'needs a cluster; tests check the manifests';
const promtool = 'needs promtool; the matrix entry prometheus runs it';
const engine = 'needs the library of the distributed engine';

/** `begins` is the start of the code. */
export const notPlayed = [
  { page: 'README.md', begins: 'npm ci && npm test\n', reason: 'runs the tests themselves' },
  { page: 'docs/deployment.md', begins: 'npm start -- token create', reason: cluster },
  { page: 'docs/deployment.md', begins: 'kubectl -n memcache', reason: cluster },
  { page: 'docs/deployment.md', begins: 'install -d', reason: 'needs root and a running systemd' },
  { page: 'docs/deployment.md', begins: 'docker compose', reason: container },
  { page: 'docs/deployment.md', begins: 'useradd', reason: 'needs root and a running systemd' },
  { page: 'docs/deployment.md', begins: 'promtool check', reason: promtool },
  {
    page: 'docs/deployment.md',
    begins: '{\n  printf',
    reason: 'needs the folder of the checkout; a test runs it',
  },
  {
    page: 'docs/docker.md',
    begins: 'memcache-gateway check-ready',
    reason: 'needs an installed program; test/unit/cli/check-ready does the same',
  },
  { page: 'docs/upgrade.md', begins: 'kubectl apply', reason: cluster },
  { page: 'docs/upgrade.md', begins: 'ln -sfn', reason: 'needs root and a running systemd' },
  { page: 'README.md', begins: 'docker build', reason: container },
  { page: 'README.md', begins: 'kubectl apply', reason: cluster },
  { page: 'docs/docker.md', begins: 'docker build -t memcache-gateway .\n', reason: container },
  { page: 'docs/docker.md', begins: 'docker run --rm --name', reason: container },
  { page: 'docs/docker.md', begins: 'docker run --rm -p', reason: container },
  { page: 'docs/docker.md', begins: 'docker run --rm -v', reason: container },
  { page: 'docs/docker.md', begins: 'docker run --rm --network host', reason: container },
  {
    page: 'docs/performance.md',
    begins: 'npm run bench',
    reason: 'takes minutes on a quiet machine',
  },
  { page: 'docs/node-store.md', begins: 'LD_PRELOAD=', reason: engine },
  {
    page: 'docs/real-engine.md',
    begins: 'export MMC_LOCAL_CONFIG_PATH=/etc/memcache/mmc-local.conf\nexport GATEWAY_ENGINE',
    reason: engine,
  },
  { page: 'docs/real-engine.md', begins: 'export MMC_META_CONFIG_PATH=', reason: engine },
  {
    page: 'docs/real-engine.md',
    begins: 'export MMC_LOCAL_CONFIG_PATH=/etc/memcache/mmc-local.conf\nENGINE=',
    reason: engine,
  },
  {
    page: 'docs/tracing.md',
    begins: 'mkdir otel',
    reason: 'needs the packages of an SDK; a test runs the example',
  },
  {
    page: 'docs/security.md',
    begins: 'memcache-gateway token',
    reason: 'starts a gateway with tokens; test/integration/security/tokens.test.ts does the same',
  },
  {
    page: 'docs/security.md',
    begins: 'openssl req',
    reason: 'starts a gateway with TLS; test/integration/security/tls.test.ts does the same',
  },
  {
    page: 'docs/security.md',
    begins: "printf 'hello, pool' | curl -H",
    reason: 'needs the gateway with tokens of the block before',
  },
  {
    page: 'docs/security.md',
    begins: "printf 'hello, pool' | curl --cacert",
    reason: 'needs the gateway with TLS of the block before',
  },
  {
    page: 'docs/security.md',
    begins: 'curl --cacert tls.crt --cert',
    reason: 'needs certificates of clients; test/integration/security/tls.test.ts does the same',
  },
  ...[
    ...['memcache-gateway --listen unix:', 'import http.client', '#define _POSIX_C_SOURCE'],
    'import { SharedBuffer }',
  ].map((begins) => ({
    page: 'docs/shared-buffers.md',
    begins,
    reason:
      'needs a gateway with shared buffers; test/integration/buffers/examples.test.ts runs it',
  })),
];

/** The start of a line that is played once, in README.md: the other pages use the packages of a checkout. */
export const playedOnce = /^npm ci(?: && |$)/;

/** Languages of blocks that are no code to run. */
export const inert = ['', 'text', 'json', 'ini', 'mermaid', 'dockerfile', 'yaml', 'promql'];

/** The reason why a block is not played, or undefined. */
export const reasonOf = (page, code) =>
  notPlayed.find((each) => each.page === page && code.startsWith(each.begins))?.reason;

/** The rows for a page that match none of its blocks. */
export const staleRows = (page, blocks) =>
  notPlayed
    .filter((row) => row.page === page && !blocks.some(({ code }) => code.startsWith(row.begins)))
    .map(({ begins }) => begins.split('\n')[0]);
