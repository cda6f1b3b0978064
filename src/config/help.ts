/** The table of settings as text for --help, --check-config and docs/configuration.md. */
import type { Config, Origins } from './config.ts';
import { groups } from './setting.ts';
import { flagOf, type SettingName, settingNames, table, variableOf } from './table.ts';

const columns = 80;
const indent = 6;

/** The help, at most 80 columns wide. */
export function helpText(): string {
  const lines = [
    'Usage: memcache-gateway [--flag value]...',
    '       memcache-gateway meta [--flag value]...',
    '       memcache-gateway token create|list|revoke [--flag value]...',
    '       memcache-gateway check-ready [--flag value]...',
    '',
    ...wrap(
      'An HTTP gateway for MemCache Hybrid. Each setting is a flag, the environment variable next to it, or a line of the settings file. The flag overrides the variable, the variable overrides the file. Sizes are plain bytes, or 64k, 512MiB, 1GiB (powers of 1024). Switches take on or off; --flag alone means on, --no-flag means off.',
      0,
    ),
    '',
    '  --help, --version   print this text, or the version',
    '  --check-config      check all settings and the engine, print the effective',
    '                      configuration, exit with 0 or 2',
    '  meta                run the meta service of the engine; see meta --help',
    '  token               manage the tokens of clients; see token --help',
    '  check-ready         exit with 0 if the gateway with these settings is ready,\n                      for health checks; see check-ready --help',
  ];
  for (const group of groups) {
    lines.push('', `${group}:`);
    for (const name of settingNames.filter((candidate) => table[candidate].group === group)) {
      lines.push(...helpOf(name));
    }
  }
  return `${lines.join('\n')}\n`;
}

function helpOf(name: SettingName): string[] {
  const { kind, help } = table[name];
  // A switch that is on by default is of use only as its negation.
  const shown = table[name].fallback === true ? flagOf(name).replace('--', '--no-') : flagOf(name);
  const flag = `  ${shown}${kind.placeholder === '' ? '' : ` ${kind.placeholder}`}`;
  const variable = variableOf(name);
  const fallback = fallbackText(name);
  const suffix = fallback === '' ? '' : ` (default ${fallback})`;
  return [flag.padEnd(columns - variable.length) + variable, ...wrap(help + suffix, indent)];
}

function wrap(text: string, margin: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && margin + line.length + 1 + word.length > columns) {
      lines.push(' '.repeat(margin) + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, ' '.repeat(margin) + line];
}

function fallbackText(name: SettingName): string {
  return written(name, table[name].fallback);
}

function written(name: SettingName, value: unknown): string {
  const kind: { write(value: never): string } = table[name].kind;
  return kind.write(value as never);
}

/** Every setting with its value and its origin, for --check-config. */
export function effectiveText(config: Config, origins: Origins): string {
  const flags = settingNames.map(flagOf);
  const width = Math.max(...flags.map((flag) => flag.length));
  const lines = settingNames.map((name) => {
    const value = written(name, config[name]);
    const origin = origins.get(name) ?? 'default';
    return `${flagOf(name).padEnd(width)}  ${value === '' ? '(none)' : value}  [${origin}]`;
  });
  return `${lines.join('\n')}\n`;
}

const pageIntroduction = `# Configuration

<!-- Generated from src/config/*-settings.ts by \`npm run generate\`; edit those files, not this page. -->

Each setting is a flag, an environment variable, or a line of [the settings file](#the-settings-file).
A flag overrides the variable, the variable overrides the file, and the file overrides the default. An
empty variable counts as absent. \`--listen\` cannot be combined with \`--host\` or \`--port\`. A flag or
variable for one of these forms overrides the other form in the file.

- Sizes are plain bytes, or take a unit: \`64k\`, \`512MiB\`, \`1.5GiB\`. All units are powers of 1024.
  \`512MB\` is refused, because it is ambiguous (powers of 1000 or of 1024).
- Switches take \`on\` or \`off\` (also \`true\`, \`yes\`, \`1\` and their opposites). As flags they can
  be given alone (\`--access-log\`) or negated (\`--no-fast-lane\`).
- Lists are separated by commas. As flags they can also be given several times.
- The gateway reports all faults at once, each with its correction, and exits with 2.
  \`memcache-gateway --check-config\` only checks: the settings and the files that they name. It also
  prints the effective configuration with the origin of each value.

The distributed engine reads its own file, named by \`MMC_LOCAL_CONFIG_PATH\`; see
[the distributed engine](real-engine.md).

In Kubernetes, a Service called \`gateway\` sets \`GATEWAY_PORT=tcp://…\` in every pod of its namespace.
Set \`enableServiceLinks: false\` in the pod of the gateway.

## The settings file

\`--settings-file /etc/memcache-gateway.conf\` names a file of \`VARIABLE=value\` lines:

\`\`\`ini
# One server's models.
GATEWAY_LAYOUT=deepseek-r1=131072x61,16384x61;small=4096x2
GATEWAY_LOG_LEVEL=info
\`\`\`

- A line that begins with \`#\` is a comment. The value is everything after the first \`=\`, without
  leading and trailing blanks. There are no quotes, no escapes and no comments after a value.
- Each name may occur once. An empty value counts as absent. An unknown name is a fault, and so is a
  value that the flag would not accept. The message for each fault names its line.
- The file is UTF-8, at most 1 MiB.

On SIGHUP the gateway reads the file again. The flags and variables of the start still override it.
The gateway applies \`--layout\` and \`--log-level\` to all workers at once and keeps all connections. For
every other setting that has changed, a warning says that it takes effect at the next start. If the file
has a fault, the gateway logs the fault and changes nothing. It logs the result before it applies a less
verbose level. A level that \`PUT /v1/admin/log-level\` has set ([getting-started.md](getting-started.md#log-level))
ends then. SIGHUP also reads the files of \`--token-file\`, \`--tls-cert\`, \`--tls-key\` and \`--tls-client-ca\`
again, which the gateway reads anyway within 2 seconds after a change
([security.md](security.md#the-token-file)). With none of these files, SIGHUP only writes a log line.

A terminal that closes also sends SIGHUP. A gateway whose stdout was a terminal at start shuts down, as
after SIGTERM, when that terminal has closed. With none of these files, it shuts down after any SIGHUP.

`;

/** docs/configuration.md. */
export function configurationPage(): string {
  const sections = groups.map((group) => {
    const names = settingNames.filter((name) => table[name].group === group);
    const head = '| flag | variable | accepts | default | meaning |\n|---|---|---|---|---|';
    return `## ${group}\n\n${head}\n${names.map(rowOf).join('\n')}\n`;
  });
  return pageIntroduction + sections.join('\n');
}

function rowOf(name: SettingName): string {
  const { kind, help } = table[name];
  const fallback = fallbackText(name);
  const shown = fallback === '' ? 'none' : `\`${fallback}\``;
  const cells = [`\`${flagOf(name)}\``, `\`${variableOf(name)}\``, kind.accepts, shown, help];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
