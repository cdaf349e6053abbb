import { kubectl } from '../e2e/cluster.ts'
import { must, within } from '../stand/condition.ts'
import { startBoth } from './broker.ts'
import { crashBroker } from './crashes.ts'
import type { Fault } from './fault.ts'
import type { Stage } from './stage.ts'

const rabbitmqctl = (...args: string[]): Promise<string> =>
  kubectl(['exec', '-n', 'xray', 'xray-rabbitmq-0', '-c', 'rabbitmq', '--', 'rabbitmqctl', ...args])

type Status = {
  alarms: unknown[]
  vm_memory_high_watermark_setting: { relative: number }
  disk_free_limit: number
}

const statusOf = async (): Promise<Status> => JSON.parse(await rabbitmqctl('status', '--formatter=json', '--silent'))

/** Raises an alarm for as long as `during` takes. The limits are put back whatever happens. */
const withAlarm = async (kind: 'memory' | 'disk', during: () => Promise<void>): Promise<void> => {
  const limits = await statusOf()
  try {
    if (kind === 'memory') await rabbitmqctl('set_vm_memory_high_watermark', '0')
    else await rabbitmqctl('set_disk_free_limit', String(10 ** 15))
    await must('the alarm to be raised', 60_000, async () => ((await statusOf()).alarms.length > 0 ? true : undefined))
    await during()
  } finally {
    await rabbitmqctl('set_vm_memory_high_watermark', String(limits.vm_memory_high_watermark_setting.relative))
    await rabbitmqctl('set_disk_free_limit', String(limits.disk_free_limit))
    // The broker looks at its disk every 10 s only: until then the next fault would find it blocked.
    await must('the alarm to be over', 90_000, async () => ((await statusOf()).alarms.length === 0 ? true : undefined))
  }
}

/** More than the load in flight needs: what a producer that buffers without bound would pass. */
const MOST_GROWTH_BYTES = 80 * 2 ** 20

const alarmed = async (stage: Stage, kind: 'memory' | 'disk'): Promise<void> => {
  stage.uncount()
  const { producer } = await startBoth(stage)
  await stage.load({ messages: 30, ratePerSecond: 100 }).done
  const before = await producer.metric('process_resident_memory_bytes')
  await withAlarm(kind, async () => {
    // Begun when the alarm is there: rabbitmqctl takes seconds, and a load that runs meanwhile may have ended.
    const load = stage.load({ messages: 600, ratePerSecond: 100, patienceMs: 120_000 })
    const refused = await within(8_000, async () => ((load.answers.get(503) ?? 0) > 100 ? true : undefined))
    stage.expect(refused === true, 'a blocked broker was not answered with 503 at once')
    const growth = (await producer.metric('process_resident_memory_bytes')) - before
    stage.expect(growth < MOST_GROWTH_BYTES, `the producer grew by ${Math.round(growth / 2 ** 20)} MB while blocked`)
    stage.expect(producer.running(), 'the producer ended')
  })
}

const alarm = (kind: 'memory' | 'disk'): Fault => ({
  name: `${kind}-alarm`,
  what: `the broker has a ${kind} alarm and takes no publications`,
  expected: '503 at once, bounded memory, and on as before when the alarm is over',
  control: { sabotage: 'ignore-blocked', of: 'producer', breaks: /^fault: a blocked broker was not answered with 503/ },
  run: (stage) => alarmed(stage, kind),
})

const rabbitmqKilled = async (stage: Stage): Promise<void> => {
  stage.uncount()
  const { producer, signals } = await startBoth(stage)
  const load = stage.load({ messages: 100_000, ratePerSecond: 40, patienceMs: 120_000 })
  await must('the load to be on', 30_000, async () => (load.accepted() > 50 ? true : undefined))
  const back = crashBroker()
  // Until it is felt: kubectl takes seconds, and a load of a fixed length may have ended before.
  await Promise.race([back, within(60_000, async () => ((load.answers.get(503) ?? 0) > 100 ? true : undefined))])
  load.stop()
  await back
  const ready = await within(20_000, async () => ((await producer.isReady()) && (await signals.isReady())) || undefined)
  stage.expect(ready === true, 'not connected 20 s after the broker was back')
  await load.done
}

export const ALARMS: Fault[] = [
  {
    name: 'rabbitmq-killed',
    what: 'the broker is halted between two instructions, under load',
    expected: '503 only in the gap; everything confirmed is there; connected again in 20 s',
    control: { sabotage: 'accept-before-confirm', of: 'producer', breaks: /^I1 .* is lost/ },
    run: rabbitmqKilled,
  },
  alarm('memory'),
  alarm('disk'),
]
