/** The operations that need codecs: most of the modules of the data routes are loaded by this one. */
export { batchExists } from './batch-exists.ts';
export { batchGet } from './batch-get.ts';
export { batchInfo } from './batch-info.ts';
export { batchPut } from './batch-put.ts';
export { batchRemove } from './batch-remove.ts';
export { getLayers, headLayers } from './get-layers.ts';
export { putLayers } from './put-layers.ts';
