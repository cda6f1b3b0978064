/** Whether dist was made from the sources as they are. */
export function isFresh(): boolean;
