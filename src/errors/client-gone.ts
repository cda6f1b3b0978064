/**
 * Thrown when a client disconnects before its response. The gateway stops serving the request and
 * writes no response. This is a failure neither of the gateway nor of the engine.
 */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';

  constructor() {
    super('the client closed the connection before its request was served');
  }
}
