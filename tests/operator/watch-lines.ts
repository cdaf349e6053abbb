import type { IncomingMessage } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'

/** One line of a watch. */
export type Line = {
  type: string
  object: { metadata: { name?: string; resourceVersion?: string; deletionTimestamp?: string } }
}

/** What becomes of the lines of a watch. */
export type Manner =
  | { kind: 'pass' }
  /** Kept until they may pass; bookmarks, too, or the operator would go on from behind them. */
  | { kind: 'hold' }
  /** Lost, those that match. */
  | { kind: 'drop'; matches: (line: Line) => boolean }
  /** Each comes, and once more after the next. */
  | { kind: 'twice' }
  /** Each comes so many ms late, in order. */
  | { kind: 'delay'; ms: number }

type Watch = {
  resource: string
  response: Http2ServerResponse
  held: string[]
  last: string | undefined
  chain: Promise<void>
}

export type WatchLines = {
  /** Hands the lines of a watch on until one of both ends it. */
  relay: (resource: string, from: IncomingMessage, to: Http2ServerResponse) => Promise<void>
  set: (resource: string, manner: Manner) => void
  /** No line of any watch that is open now passes any more. */
  silence: () => void
  /** Ends every watch that is open now, as an API server does when its time is over. */
  end: () => void
}

const PASS: Manner = { kind: 'pass' }

export const createWatchLines = (): WatchLines => {
  const manners = new Map<string, Manner>()
  const open = new Set<Watch>()
  const silenced = new Set<Watch>()

  const send = (watch: Watch, text: string): void => {
    if (watch.response.writable && !silenced.has(watch)) watch.response.write(`${text}\n`)
  }

  const take = (watch: Watch, text: string): void => {
    const manner = manners.get(watch.resource) ?? PASS
    switch (manner.kind) {
      case 'pass':
        send(watch, text)
        break
      case 'hold':
        watch.held.push(text)
        break
      case 'drop':
        if (!manner.matches(JSON.parse(text) as Line)) send(watch, text)
        break
      case 'twice':
        send(watch, text)
        if (watch.last !== undefined) send(watch, watch.last)
        watch.last = text
        break
      case 'delay': {
        const due = new Promise<void>((resolve) => setTimeout(resolve, manner.ms))
        watch.chain = Promise.all([watch.chain, due]).then(() => send(watch, text))
        break
      }
      default: {
        const missed: never = manner
        throw new Error(`unhandled manner ${JSON.stringify(missed)}`)
      }
    }
  }

  return {
    relay: async (resource, from, response) => {
      const watch: Watch = { resource, response, held: [], last: undefined, chain: Promise.resolve() }
      open.add(watch)
      let rest = ''
      try {
        for await (const chunk of from.setEncoding('utf8')) {
          const lines = `${rest}${chunk}`.split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) take(watch, line)
        }
        await watch.chain
      } finally {
        open.delete(watch)
        silenced.delete(watch)
        response.end()
      }
    },
    set: (resource, manner) => {
      manners.set(resource, manner)
      if (manner.kind === 'hold') return
      for (const watch of open)
        if (watch.resource === resource) for (const text of watch.held.splice(0)) take(watch, text)
    },
    silence: () => {
      for (const watch of open) silenced.add(watch)
    },
    end: () => {
      for (const { response } of open) response.end()
    },
  }
}
