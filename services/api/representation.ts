import type { FileDocument, SignalDocument } from '#runtime/signal-store.ts'

/** A signal as readers see it: the seed's fields and ours, ids as hex, times as ISO text but for the seed's own. */
export const toSignalJson = ({ _id, rawPayloadId, processedAt, receivedAt, ...signal }: SignalDocument) => ({
  id: _id.toHexString(),
  ...signal,
  time: new Date(signal.timestamp).toISOString(),
  processedAt: processedAt.toISOString(),
  receivedAt: receivedAt.toISOString(),
  rawPayloadId: rawPayloadId.toHexString(),
})

/** What is known of the raw bytes. */
export const toMetadataJson = ({ _id, filename, length, chunkSize, uploadDate, metadata }: FileDocument) => ({
  rawPayloadId: _id.toHexString(),
  filename,
  contentType: metadata.contentType,
  length: Number(length),
  chunkSize,
  uploadDate: uploadDate.toISOString(),
  sha256: metadata.sha256,
  deviceId: metadata.deviceId,
  messageId: metadata.messageId,
  receivedAt: metadata.receivedAt.toISOString(),
})

/** The page that a list answers with, and the links around it. */
export const toPage = (
  path: string,
  parameters: URLSearchParams,
  page: { page: number; limit: number; total: number },
) => {
  const totalPages = Math.ceil(page.total / page.limit)
  const link = (number: number): string => {
    const query = new URLSearchParams(parameters)
    query.set('page', String(number))
    query.set('limit', String(page.limit))
    return `${path}?${query}`
  }
  const hasMore = page.page < totalPages
  const links = {
    self: link(page.page),
    first: link(1),
    ...(page.page > 1 && { prev: link(page.page - 1) }),
    ...(hasMore && { next: link(page.page + 1) }),
    ...(totalPages > 0 && { last: link(totalPages) }),
  }
  return { pagination: { ...page, totalPages, hasMore, nextCursor: null }, links }
}

/** RFC 8288. */
export const toLinkHeader = (links: Record<string, string>): string =>
  Object.entries(links)
    .map(([relation, target]) => `<${target}>; rel="${relation}"`)
    .join(', ')
