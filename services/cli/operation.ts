import type { World } from './commands.ts'
import { EXIT } from './failure.ts'

/** An operation of the API, as far as it is followed. */
export type OperationView = {
  id: string
  kind: 'replay' | 'discard'
  state: 'running' | 'done' | 'cancelled' | 'failed'
  total: number
  done: number
  failed: number
  errors: { id: string; error: string }[]
}

const VERBS = { replay: ['replaying', 'replayed'], discard: ['discarding', 'discarded'] } as const
const BAR = 20
const POLL_MS = 500
const LINE_MS = 10_000
/** Until then a rate is a guess. */
const SETTLED_MS = 3_000

/** How far an operation is, in one line. `elapsedMs` since it is followed, in which `moved` were done or failed. */
export const progressLine = (
  { id, kind, total, done, failed }: OperationView,
  elapsedMs: number,
  moved: number,
): string => {
  const ended = done + failed
  const filled = total === 0 ? BAR : Math.min(BAR, Math.floor((ended / total) * BAR))
  const ratePerSecond = elapsedMs > 0 ? (moved * 1000) / elapsedMs : 0
  const eta =
    elapsedMs < SETTLED_MS || ratePerSecond === 0 ? '' : `  eta ${Math.ceil((total - ended) / ratePerSecond)}s`
  return `${VERBS[kind][0]}  ${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${ended}/${total}  ${ratePerSecond.toFixed(1)}/s  failed ${failed}${eta}  operation ${id}`
}

/** What an operation came to, in one line. */
export const outcomeLine = ({ kind, state, total, done, failed, errors }: OperationView): string => {
  const [first] = errors
  return [
    `${done} of ${total} ${VERBS[kind][1]}`,
    ...(failed > 0 ? [`${failed} failed and stay open`] : []),
    ...(first === undefined ? [] : [`first: ${first.id} ${first.error}`]),
    ...(state === 'cancelled' ? ['cancelled'] : []),
  ].join(', ')
}

/**
 * Follows an operation to its end: a bar on a terminal, else a line every 10 s. An interruption only detaches, and the
 * operation goes on.
 * @returns the operation as it was seen last, and the exit code
 */
export const follow = async (
  world: World,
  first: OperationView,
  look: (id: string) => Promise<OperationView>,
): Promise<{ operation: OperationView; exit: number }> => {
  const { terminal, signal, now } = world
  const startedAt = now()
  let lineAt = startedAt + LINE_MS
  let operation = first
  const line = () =>
    progressLine(operation, now() - startedAt, operation.done + operation.failed - first.done - first.failed)
  while (operation.state === 'running') {
    if (terminal.interactive) terminal.draw(`${line()}  Ctrl-C detaches`)
    else if (now() >= lineAt) {
      world.tell(line())
      lineAt = now() + LINE_MS
    }
    await world.delay(POLL_MS, signal)
    if (signal.aborted) {
      if (terminal.interactive) terminal.draw('')
      world.tell(`detached; the operation goes on: "xrayctl ops watch ${operation.id}" tells how far it is`)
      return { operation, exit: EXIT.interrupted }
    }
    operation = await look(operation.id)
  }
  if (terminal.interactive) terminal.draw('')
  const whole = operation.state === 'done' && operation.failed === 0
  return { operation, exit: whole ? EXIT.ok : EXIT.partial }
}
