/** Where the build of the C libraries leaves them; no native code is loaded to know that. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The same steps up from src/native and from dist/native. */
const folder = fileURLToPath(new URL('../../build/native', import.meta.url));

export const embeddedLibraryPath = path.join(folder, 'libmcg_embedded.so');
export const reserveLibraryPath = path.join(folder, 'libmcg_reserve.so');
