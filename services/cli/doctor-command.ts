import type { CommandModule } from 'yargs'
import { type Check, examine, type Result, type State } from './check.ts'
import { clusterChecks } from './cluster-checks.ts'
import type { Act, Output, World } from './commands.ts'
import { EXIT } from './failure.ts'
import { output as format, yesOrNo } from './flags.ts'
import { operatorChecks } from './operator-checks.ts'
import { createPaint, type Paint } from './paint.ts'
import { pipelineChecks } from './pipeline-checks.ts'

type Args = { pre: boolean; output: Output }

/** Every check in the order in which one rests on another. @param pre only those that make sense before anything is installed */
export const checksOf = (world: World, pre: boolean): Check[] =>
  pre
    ? clusterChecks(world, true).filter(({ early }) => early)
    : [...clusterChecks(world, false), ...operatorChecks(world), ...pipelineChecks(world)]

const MARKS: Record<State, (paint: Paint) => string> = {
  ok: (paint) => paint.good('ok  '),
  warning: (paint) => paint.odd('warn'),
  failed: (paint) => paint.bad('FAIL'),
  skipped: (paint) => paint.faint('skip'),
}

/** A result in one line, and what to do about it in another. */
export const resultText = ({ name, state, detail, fix }: Result, paint: Paint): string => {
  const line = `${MARKS[state](paint)}  ${name}: ${detail}`
  return state === 'failed' || state === 'warning' ? `${line}\n      fix: ${fix}` : line
}

const summary = (results: readonly Result[]): string => {
  const count = (state: State): number => results.filter((result) => result.state === state).length
  return [
    `${count('ok')} ok, ${count('failed')} failed`,
    ...(count('warning') > 0 ? [`${count('warning')} to look at`] : []),
    ...(count('skipped') > 0 ? [`${count('skipped')} left out`] : []),
  ].join(', ')
}

const doctor = async (world: World, { pre, output }: Args): Promise<number> => {
  const paint = createPaint(world.colour)
  const results = await examine(checksOf(world, pre), (result) => {
    if (output === 'table') world.out(resultText(result, paint))
  })
  world.out(output === 'json' ? JSON.stringify(results, null, 2) : summary(results))
  return results.some(({ state }) => state === 'failed') ? EXIT.failed : EXIT.ok
}

export const doctorCommand = (act: Act): CommandModule<object, Args> => ({
  command: 'doctor [pipeline]',
  describe: 'checks everything between a device and a reader, and says what to do',
  builder: (y) =>
    y.options({ pre: yesOrNo('only what a cluster must have before anything is installed'), output: format }) as never,
  handler: act(doctor),
})
