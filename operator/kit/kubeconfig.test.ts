import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { say, withWire } from '../../tests/stand/wire.ts'
import { createClient } from './client.ts'
import { loadKubeConfig } from './kubeconfig.ts'

const metrics = { answered: () => undefined, retried: () => undefined }

it("a pod asks as its service account, with the token of now and the cluster's own authority", () =>
  withWire(
    ({ headers }, response) => {
      if (headers.authorization === 'Bearer old') say(response, 401, { reason: 'Unauthorized', message: 'expired' })
      else say(response, 200, { as: headers.authorization })
    },
    async ({ port, certificate }) => {
      const folder = mkdtempSync(join(tmpdir(), 'xrayiot-account-'))
      writeFileSync(join(folder, 'ca.crt'), certificate)
      writeFileSync(join(folder, 'token'), 'old\n')
      const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) }
      const client = createClient(await loadKubeConfig(env, folder), { userAgent: 'kit-test', metrics })
      try {
        await expect(client.request({ method: 'GET', path: '/api' })).rejects.toThrow('expired')
        writeFileSync(join(folder, 'token'), 'new\n')
        expect(await client.request({ method: 'GET', path: '/api' })).toEqual({ as: 'Bearer new' })
      } finally {
        await client.close()
        rmSync(folder, { recursive: true })
      }
    },
  ))
