/**
 * Thrown when a client has gone before its response: its request is not served any further, and no
 * response is written. It is no failure, neither of the gateway nor of the engine.
 */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';

  constructor() {
    super('the client closed the connection before its request was served');
  }
}
