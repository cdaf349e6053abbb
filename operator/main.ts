import { loadKubeConfig } from '#kit/kubeconfig.ts'
import { runProcess } from '#runtime/process.ts'
import { readConfig } from './config.ts'
import { startOperator } from './controller.ts'

const world = {
  kubeConfig: await loadKubeConfig(process.env),
  now: Date.now,
  elapsedMs: () => performance.now(),
  exit: (code: number) => process.exit(code),
}

await runProcess('operator', process.env, readConfig, startOperator(world))
