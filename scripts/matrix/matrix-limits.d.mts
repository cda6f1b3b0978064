export const TOTAL_MINUTES: number;
export function totalEndMs(nowMs: number): number;
export function limitOf(minutes: number, leftMs: number): { deadlineMs: number; fault: string };
