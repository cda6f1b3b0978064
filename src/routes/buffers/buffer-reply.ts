import { isProblemSlug, ProblemError } from '../../errors/problems.ts';
import type { RegionReply, RegionRequest, RegionView } from '../../messages/regions.ts';
import type { Buffers } from '../../store/buffers/buffers.ts';

/** The regions of the supervisor's reply. @throws ProblemError that of the supervisor, `buffer-unavailable` */
export async function askSupervisor(
  buffers: Buffers,
  request: RegionRequest,
): Promise<{ readonly regions: readonly RegionView[]; readonly isNew?: boolean }> {
  const reply = await buffers.ask(request);
  if (reply === undefined || 'problem' in reply) throw problemOfReply(reply);
  return reply;
}

export function problemOfReply(
  reply: Extract<RegionReply, { problem: string }> | undefined,
): ProblemError {
  if (reply === undefined) {
    return new ProblemError('buffer-unavailable', {
      detail: 'The supervisor did not respond in time.',
    });
  }
  const { problem, detail } = reply;
  const slug = isProblemSlug(problem) ? problem : 'internal-error';
  return new ProblemError(slug, detail === '' ? {} : { detail });
}
