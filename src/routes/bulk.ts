/** The operations that need codecs, loaded together: they are most of the modules of the data routes. */
export { batchExists } from './batch/batch-exists.ts';
export { batchGet } from './batch/batch-get.ts';
export { batchInfo } from './batch/batch-info.ts';
export { batchPut } from './batch/batch-put.ts';
export { batchRemove } from './batch/batch-remove.ts';
export {
  deleteBuffer,
  deleteBuffers,
  getBuffer,
  listBuffers,
  putBuffer,
} from './buffers/registration.ts';
export { bufferGet, bufferPut } from './buffers/transfers.ts';
export { getLayers, headLayers } from './layers/get-layers.ts';
export { putLayers } from './layers/put-layers.ts';
