import { type Request, Router } from 'express'
import { endOperation, findOperation, listOperations, type OperationDocument } from '#runtime/operation-store.ts'
import { toOperationJson } from './dead-letter-json.ts'
import type { DeadLettersContext } from './dead-letters-routes.ts'
import { fault, unknownAmong, whole } from './query.ts'
import { onlyMethods, Refusal } from './refusal.ts'

const found = (operation: OperationDocument | null): OperationDocument => {
  if (operation === null) throw new Refusal('not_found', { detail: 'no operation has this id' })
  return operation
}

/** `/api/operations` and what lies below it. */
export const operationsRoutes = ({ operations, now }: DeadLettersContext): Router => {
  const routes = Router()
  const operationOf = async (request: Request): Promise<OperationDocument> =>
    found(await findOperation(operations, String(request.params.id)))

  routes.get('/', async (request, response) => {
    const parameters = new URL(request.originalUrl, 'http://api').searchParams
    const limit = whole(parameters.get('limit'), 20)
    const wrong =
      unknownAmong(parameters, ['limit']) ??
      (limit >= 1 && limit <= 100 ? undefined : fault('limit', 'a whole number from 1 to 100', parameters.get('limit')))
    if (wrong !== undefined) throw new Refusal(wrong.code, { detail: wrong.detail, errors: [wrong] })
    const data = (await listOperations(operations, limit)).map(toOperationJson)
    response.set('cache-control', 'no-store').json({ data })
  })

  routes.get(
    '/:id',
    async (request, response) =>
      void response.set('cache-control', 'no-store').json(toOperationJson(await operationOf(request))),
  )

  routes.delete('/:id', async (request, response) => {
    const { _id, state } = await operationOf(request)
    if (state !== 'cancelled' && !(await endOperation(operations, _id, 'cancelled', new Date(now()))))
      throw new Refusal('not_running', { detail: 'it has ended, and what it did stays done' })
    response.json(toOperationJson(await operationOf(request)))
  })

  routes.all('/', onlyMethods('GET', 'HEAD'))
  routes.all('/:id', onlyMethods('GET', 'HEAD', 'DELETE'))
  return routes
}
