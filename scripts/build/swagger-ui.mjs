/**
 * Puts Swagger UI into dist when the program is built: swagger-ui-express becomes a part of the program,
 * and the files that it serves are copied. So an installed gateway has neither package. swagger-ui-dist
 * depends on a package of analytics whose install script sends data to an outside server.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);
const packageOf = (name) => path.dirname(require.resolve(`${name}/package.json`));

/** The files of /docs (src/routes/pages/docs.ts), and the licences of what is copied and bundled. */
const copied = {
  'swagger-ui-dist': [
    ...['swagger-ui.css', 'swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js'],
    ...['favicon-32x32.png', 'swagger-ui-bundle.js.LICENSE.txt', 'LICENSE', 'NOTICE'],
    'swagger-ui-standalone-preset.js.LICENSE.txt',
  ],
  'swagger-ui-express': ['LICENSE'],
};

export function copySwaggerUi(dist) {
  for (const [name, files] of Object.entries(copied)) {
    const folder = path.join(dist, name);
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    for (const file of files)
      fs.copyFileSync(path.join(packageOf(name), file), path.join(folder, file));
  }
}

/** Modules that stand in the place of those that swagger-ui-express requires, in a program of ECMAScript modules. */
const replaced = {
  express: `
    import express from 'express';
    const serveStatic = express.static;
    export { serveStatic as static };`,
  'swagger-ui-dist/absolute-path': `
    const { folder } = require('swagger-ui-folder');
    module.exports = () => folder;`,
  'swagger-ui-folder': `
    import { fileURLToPath } from 'node:url';
    export const folder = fileURLToPath(new URL('../swagger-ui-dist', import.meta.url));`,
};

/** For esbuild: bundles swagger-ui-express, whose files are then those in dist. */
export const bundleSwaggerUi = {
  name: 'swagger-ui-express',
  setup(build) {
    const main = require.resolve('swagger-ui-express');
    build.onResolve({ filter: /^swagger-ui-express$/ }, () => ({ path: main }));
    build.onResolve({ filter: /./ }, ({ path: name, kind }) =>
      kind === 'require-call' && name in replaced
        ? { path: name, namespace: 'swagger-ui-express' }
        : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'swagger-ui-express' }, ({ path: name }) => ({
      contents: replaced[name],
      resolveDir: path.dirname(main),
    }));
  },
};
