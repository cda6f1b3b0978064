/** The text of docs/errors.md. */
export function errorsPage(): string;
