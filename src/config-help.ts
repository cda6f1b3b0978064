/** The table of settings as text: for --help, for --check-config and for docs/configuration.md. */
import type { Config, Origins } from './config.ts';
import {
  flagOf,
  groups,
  type SettingName,
  settingNames,
  table,
  variableOf,
} from './config-table.ts';

const columns = 92;
const indent = 6;

/** The help, at most 92 columns wide. */
export function helpText(): string {
  const lines = [
    'Usage: memcache-gateway [--flag value]...',
    '       memcache-gateway meta [--flag value]...',
    '',
    ...wrap(
      'An HTTP gateway in front of MemCache Hybrid. Each setting is a flag, or the environment variable beside it, or a line of the settings file; the flag wins, then the variable. Sizes are plain bytes, or 64k, 512MiB, 1GiB (powers of 1024). Switches take on or off, or stand alone, or as --no-flag.',
      0,
    ),
    '',
    '  --help, --version      show this, or the version',
    '  --check-config         check everything, show the effective configuration, exit with 0 or 2',
    "  meta                   run the engine's meta service; meta --help says how",
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
  const flag = `  ${flagOf(name)}${kind.placeholder === '' ? '' : ` ${kind.placeholder}`}`;
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

/** Every setting with its value and where it came from, as --check-config prints it. */
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

<!-- Generated from src/config-table.ts by \`npm run generate\`; edit the table, not this page. -->

Each setting is a flag, an environment variable, or a line of [the settings file](#the-settings-file);
the flag wins over the variable, the variable over the file, the file over the default. An empty
variable counts as absent. \`--listen\` and its short form, \`--host\` and \`--port\`, are not given
together; but what the file gives of the one yields to a flag or variable of the other.

- Sizes are plain bytes, or take a unit: \`64k\`, \`512MiB\`, \`1.5GiB\`. All units are powers of 1024;
  \`512MB\` is refused, because some mean 1000 by it and some 1024.
- Switches take \`on\` or \`off\` (also \`true\`, \`yes\`, \`1\` and their opposites); as flags they may
  stand alone (\`--access-log\`) or be negated (\`--no-fast-lane\`).
- Lists are separated by commas; as flags they may also be given several times.
- All faults are reported at once, each with the way to mend it, and the exit code is 2.
  \`memcache-gateway --check-config\` does that and nothing else: it also checks the files that are
  named, and prints the effective configuration with the origin of each value.

The distributed engine reads its own file, named by \`MMC_LOCAL_CONFIG_PATH\`; see
[the real engine](real-engine.md).

In Kubernetes, a Service called \`gateway\` puts \`GATEWAY_PORT=tcp://…\` into every pod beside it: set
\`enableServiceLinks: false\`.

## The settings file

\`--settings-file /etc/memcache-gateway.conf\` names a file of \`VARIABLE=value\` lines:

\`\`\`ini
# One server's models.
GATEWAY_LAYOUT=deepseek-r1=131072x61,16384x61;small=4096x2
GATEWAY_LOG_LEVEL=info
\`\`\`

- A line that begins with \`#\` is a comment. What stands behind the first \`=\`, without the blanks
  around it, is the value: there are no quotes, no escapes and no comments behind it.
- Each name is given once; an empty value counts as absent. An unknown name is a fault, as is a value
  that the flag would not take; each is told with its line.
- The file is UTF-8, and no larger than 1 MiB.

SIGHUP reads it again, with the flags and variables of the start, which still win. \`--layout\` and
\`--log-level\` are applied to all workers at once, without breaking a connection; of anything else
that has changed, a warning says that it takes effect at the next start. If there is a fault, it is
logged, and everything stays as it was. What comes of it is logged before a level that logs less is
applied. Without a settings file there is nothing to read again, and SIGHUP does nothing but say so.

A terminal that closes sends SIGHUP too. A gateway that was started with its stdout on a terminal
stops, as by SIGTERM, when that terminal is gone, and, without a settings file, by any SIGHUP.

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
