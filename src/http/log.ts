/** What the HTTP side needs of a logger; pino's is one, and so is one that waits for pino. */
export type Logger = Readonly<
  Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>
>;
