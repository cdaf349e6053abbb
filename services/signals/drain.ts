import type { Logger } from '#runtime/log.ts'

export type DrainContext = {
  /** Whether the pod is to go. */
  asked: () => boolean
  /** Takes no more messages. */
  stop: () => Promise<void>
  /** Finishes what was taken, until the broker has heard of it. */
  finish: () => Promise<void>
  resume: () => Promise<void>
  log: Logger
}

export type Drain = {
  /** To be called again and again: does what is asked now. */
  look: () => void
  /** What is missing until the pod may go; undefined when nothing is. */
  missing: () => string | undefined
}

/**
 * Gives a pod that is to go the time to finish: it takes nothing more, finishes what it has, and says so. It stays as it
 * is then, and takes messages again if it is no longer asked to go.
 */
export const createDrain = ({ asked, stop, finish, resume, log }: DrainContext): Drain => {
  /** One for each time that it is asked, so that the end of a former one says nothing of this one. */
  let round: { finished: boolean } | undefined
  const begin = async (mine: { finished: boolean }): Promise<void> => {
    log.info('this pod is to go: it takes no more messages')
    await stop()
    await finish()
    mine.finished = true
    if (round === mine) log.info('this pod holds nothing any more')
  }
  return {
    look: () => {
      if (asked() === (round !== undefined)) return
      if (round === undefined) {
        round = { finished: false }
        void begin(round)
        return
      }
      round = undefined
      log.info('this pod is to stay after all: it takes messages again')
      void resume()
    },
    missing: () => {
      if (round === undefined) return 'not asked to go'
      return round.finished ? undefined : 'it still holds messages'
    },
  }
}
