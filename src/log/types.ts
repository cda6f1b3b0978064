/** The logger interface of the HTTP code; pino implements it, and so does the waiting log. */
export type Logger = Readonly<
  Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>
>;
