import { randomBytes } from 'node:crypto';
import type { TlsTexts } from './tls-files.ts';

/** Everything that a process needs to speak TLS; the same in all processes of a gateway. */
export interface TlsMaterial extends TlsTexts {
  /** Encrypts the session tickets, in base64: a client resumes its session in each process that has it. */
  readonly ticketKeys: string;
  /** OpenSSL resumes a session only where this is the same. Node's default differs between processes. */
  readonly sessionIdContext: string;
}

/** The length that Node requires. */
export const TICKET_KEY_BYTES = 48;
/** OpenSSL allows 32 characters. */
const CONTEXT_BYTES = 16;

/** Sessions of earlier keys are not resumed: their clients make a full handshake. */
export const newTicketKeys = (): Pick<TlsMaterial, 'ticketKeys' | 'sessionIdContext'> => ({
  ticketKeys: randomBytes(TICKET_KEY_BYTES).toString('base64'),
  sessionIdContext: randomBytes(CONTEXT_BYTES).toString('hex'),
});
