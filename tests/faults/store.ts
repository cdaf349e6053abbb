import { setTimeout as delay } from 'node:timers/promises'
import { must, within } from '../stand/condition.ts'
import { startBoth } from './broker.ts'
import { crashStore } from './crashes.ts'
import type { Fault } from './fault.ts'
import { forge, publish } from './forgery.ts'
import { bodyOf } from './load.ts'
import type { Stage } from './stage.ts'

const storeAway = async (stage: Stage): Promise<void> => {
  await startBoth(stage)
  const load = stage.load({ messages: 500, ratePerSecond: 100 })
  await within(30_000, async () => (load.accepted() > 50 ? true : undefined))
  stage.network.store.refuse()
  stage.network.store.reset()
  // Longer than the whole ladder takes: attempts that were spent here would end as dead letters.
  await delay(4_000)
  stage.network.store.admit()
  await load.done
}

/** The driver gives its first connection up for good after 5 s. */
const LATE_MS = 12_000

const storeLate = async (stage: Stage, controlled: boolean): Promise<void> => {
  stage.network.store.refuse()
  const both = [await stage.start('producer'), await stage.start('signals')]
  await delay(LATE_MS)
  stage.network.store.admit()
  for (const one of both) {
    const ready = await within(controlled ? 10_000 : 60_000, async () => (await one.isReady()) || undefined)
    stage.expect(ready === true, `${one.component} does not serve although its store has come`)
  }
  await stage.load({ messages: 200, ratePerSecond: 100 }).done
}

const CRASHES = 4

const storeKilled = async (stage: Stage): Promise<void> => {
  await startBoth(stage)
  const load = stage.load({ messages: 100_000, ratePerSecond: 100 })
  for (let crash = 1; crash <= CRASHES; crash++) {
    // Each in the middle of batches, however long the one before took: kubectl takes seconds.
    const wanted = load.accepted() + 100
    await must(`more than ${wanted} to be stored`, 90_000, async () =>
      (await stage.db.collection('signals').countDocuments()) > wanted ? true : undefined,
    )
    await crashStore()
  }
  load.stop()
  await load.done
}

const CUTS = 16

const appliedUnanswered = async (stage: Stage): Promise<void> => {
  await startBoth(stage)
  // A slow store: at any moment some batch waits for the answer to its last write.
  stage.network.store.requests({ kind: 'delay', ms: 100 })
  const load = stage.load({ messages: 1500, ratePerSecond: 200 })
  for (let cut = 1; cut <= CUTS; cut++) {
    await within(30_000, async () => (load.accepted() > cut * 80 ? true : undefined))
    stage.network.store.answers({ kind: 'swallow' })
    await delay(300) // for the writes in flight to be applied
    stage.network.store.reset()
    stage.network.store.answers({ kind: 'pass' })
  }
  await load.done
}

/** A recording of the year 2265, which the ids of the store cannot name: sound by every check before. */
const poison = (stage: Stage) => {
  const deviceTimestampMs = 9_300_000_000_000
  const deviceId = '66bb584d4ae73e488c300000'
  const body = bodyOf(deviceId, deviceTimestampMs, 20)
  return forge(stage, {
    deviceId,
    deviceTimestampMs,
    receivedAtMs: deviceTimestampMs,
    body,
    expect: 'transform_failed',
  })
}

const poisonInBatch = async (stage: Stage): Promise<void> => {
  const sound = Array.from({ length: 199 }, () => forge(stage))
  await publish(stage, [...sound.slice(0, 100), poison(stage), ...sound.slice(100)])
  await (await stage.start('signals')).ready()
}

export const STORE: Fault[] = [
  {
    name: 'store-away',
    what: 'the store refuses every connection for longer than the ladder takes',
    expected: 'consumption pauses, no attempt is spent, nothing is dead-lettered',
    control: { sabotage: 'outage-spends-attempts', of: 'signals', breaks: /expected stored, got storage_failed/ },
    run: storeAway,
  },
  {
    name: 'store-late',
    what: `the store comes ${LATE_MS / 1000} s after the processes were started`,
    expected: 'they serve when it is there, and nothing is lost',
    control: { sabotage: 'connects-once', of: 'signals', breaks: /^fault: signals does not serve/ },
    run: storeLate,
  },
  {
    name: 'store-killed',
    what: `the store's processes are killed in the middle of batches, ${CRASHES} times`,
    expected: 'consumption pauses, no attempt is spent, nothing is dead-lettered',
    control: { sabotage: 'failure-counts-as-stored', of: 'signals', breaks: /^I1 .* is lost/ },
    run: storeKilled,
  },
  {
    name: 'store-applied-unanswered',
    what: `the store applies writes, and their answers are lost, ${CUTS} times`,
    expected: 'they are found to be there, and acknowledged as stored',
    control: { sabotage: 'random-ids', of: 'signals', breaks: /^I2 .* is stored 2 times/ },
    run: appliedUnanswered,
  },
  {
    name: 'poison-in-batch',
    what: 'one message of a batch of 200 cannot be made into a signal',
    expected: '199 are stored, one is a dead letter with transform_failed, and the batch is not repeated',
    control: { sabotage: 'unguarded-inspection', of: 'signals', breaks: /^I/ },
    run: poisonInBatch,
  },
]
