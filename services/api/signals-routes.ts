import { type Request, Router } from 'express'
import { ObjectId } from 'mongodb'
import { CONTENT_TYPE } from '#contract/message.ts'
import { findFile, findSignal, listSignals, readRaw } from '#runtime/signal-reader.ts'
import { type FileDocument, rawFilename, type SignalDocument, type Store } from '#runtime/signal-store.ts'
import { readListQuery } from './query.ts'
import { readRange } from './range.ts'
import { Refusal } from './refusal.ts'
import { toLinkHeader, toMetadataJson, toPage, toSignalJson } from './representation.ts'

const idOf = (request: Request): ObjectId => {
  const id = String(request.params.id)
  if (!/^[0-9a-f]{24}$/.test(id))
    throw new Refusal('malformed', { detail: `id: expected 24 lower-case hex digits, got "${id.slice(0, 60)}"` })
  return new ObjectId(id)
}

const found = <T>(document: T | null | undefined): T => {
  if (document === null || document === undefined) throw new Refusal('not_found', { detail: 'no signal has this id' })
  return document
}

const parametersOf = (request: Request): URLSearchParams => new URL(request.originalUrl, 'http://api').searchParams

/** `/api/signals` and what lies below it. */
export const signalsRoutes = (store: Store): Router => {
  const routes = Router()
  const signalOf = async (request: Request): Promise<SignalDocument> => found(await findSignal(store, idOf(request)))
  const fileOf = async (request: Request): Promise<FileDocument> =>
    found(await findFile(store, (await signalOf(request)).rawPayloadId))

  routes.get('/', async (request, response) => {
    const parameters = parametersOf(request)
    const read = readListQuery(parameters)
    if ('fault' in read) throw new Refusal(read.fault.code, { detail: read.fault.detail, errors: [read.fault] })
    const { signals, total } = await listSignals(store, read.query)
    const { pagination, links } = toPage('/api/signals', parameters, {
      page: read.query.page,
      limit: read.query.limit,
      total,
    })
    response.set('link', toLinkHeader(links)).set('cache-control', 'private, no-cache')
    response.json({ data: signals.map(toSignalJson), pagination, links })
  })

  routes.get('/:id', async (request, response) => void response.json(toSignalJson(await signalOf(request))))

  routes.get(
    '/:id/raw/metadata',
    async (request, response) => void response.json(toMetadataJson(await fileOf(request))),
  )

  routes.get('/:id/raw', async (request, response) => {
    // The bytes have the signal's own id, so both are asked for at once, unless they may not be wanted in the end. A file
    // without a signal is not shown.
    const id = idOf(request)
    const asked =
      request.method === 'HEAD' || request.headers['if-none-match'] !== undefined ? undefined : readRaw(store, id)
    asked?.catch(() => undefined) // it is awaited only when the bytes are sent
    const signal = found(await findSignal(store, id))
    const length = signal.dataVolume
    const etag = `"sha256-${signal.rawSha256}"`
    const headers = {
      etag,
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=31536000, immutable',
      'content-disposition': `attachment; filename="${rawFilename(signal.timestamp)}"`,
      'repr-digest': `sha-256=:${Buffer.from(signal.rawSha256, 'hex').toString('base64')}:`,
    }
    if (request.headers['if-none-match'] === etag) return void response.status(304).set(headers).end()
    const mayRange = request.headers['if-range'] === undefined || request.headers['if-range'] === etag
    const range = readRange(mayRange ? request.headers.range : undefined, length)
    if (range.kind === 'unsatisfiable')
      throw new Refusal(
        'range_not_satisfiable',
        { detail: `there are ${length} bytes` },
        { 'content-range': `bytes */${length}` },
      )
    const [start, end] = range.kind === 'part' ? [range.start, range.end + 1] : [0, length]
    // Read before any header is set: a refusal must not be kept for a year as these bytes may.
    const bytes =
      request.method === 'HEAD' ? undefined : found(await (asked ?? readRaw(store, id))).subarray(start, end)
    response.set(headers)
    // Node itself, not Express: it would change the ETag and the content type.
    response.setHeader('content-type', CONTENT_TYPE)
    if (range.kind === 'part') response.status(206).set('content-range', `bytes ${start}-${end - 1}/${length}`)
    response.setHeader('content-length', end - start)
    response.end(bytes)
  })

  return routes
}
