/** The paths of the built C libraries; this module loads no native code. */
import { packageFile } from '../../os/package-files.ts';

export const embeddedLibraryPath = packageFile('build/native/libmcg_embedded.so');
export const reserveLibraryPath = packageFile('build/native/libmcg_reserve.so');
export const regionsLibraryPath = packageFile('build/native/libmcg_regions.so');

/** Builds them, wherever the package is installed. */
export const buildEngineCommand = `node ${packageFile('scripts/build-engine.mjs')}`;
