import type { World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'

/**
 * Asks before something is done that cannot be undone, or that does harm, unless `yes`; where nobody can be asked,
 * nothing is done.
 * @param question names what is about to happen, and to what
 * @throws Failure when nobody agreed
 */
export const agreed = async (
  world: Pick<World, 'terminal' | 'signal'>,
  question: string,
  yes: boolean,
): Promise<void> => {
  if (yes) return
  if (!world.terminal.interactive)
    throw new Failure(EXIT.refused, `${question} Nothing was done: expected -y, or a terminal to ask on`)
  if (!(await world.terminal.confirm(question, world.signal)))
    throw new Failure(world.signal.aborted ? EXIT.interrupted : EXIT.refused, 'nothing was done')
}
