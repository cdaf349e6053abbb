import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { endCommands, run } from './command.ts'
import { withoutClusterRules } from './network.ts'
import { listenersOf } from './ports.ts'
import { startTicksOf } from './processes.ts'
import { until } from './progress.ts'

it('the listening sockets of /proc/net/tcp are found, the others not', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:7580 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1`
  expect(listenersOf(table)).toEqual([{ port: 6443, inode: '4711' }])
})

it('the start time of a process is found behind a name with spaces and parentheses', () => {
  const fields = Array.from({ length: 50 }, (_, index) => `f${index + 3}`).join(' ')
  expect(startTicksOf(`12 (a) b (c) ${fields}`)).toBe('f22')
})

describe('taking the rules away', () => {
  const foreign = ['*nat', ':PREROUTING ACCEPT [0:0]', '-A POSTROUTING -s 192.168.0.0/24 -j MASQUERADE', 'COMMIT']
  const ours = [
    ':KUBE-SERVICES - [0:0]',
    ':CNI-HOSTPORT-DNAT - [0:0]',
    '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-A KUBE-SERVICES -j RETURN',
    '-A POSTROUTING -s 10.88.0.5/32 -j CNI-0123',
  ]
  it('leaves those of others', () =>
    expect(withoutClusterRules([...foreign.slice(0, 3), ...ours, ...foreign.slice(3)].join('\n'))).toBe(
      foreign.join('\n'),
    ))
})

it('what cannot be added to the local cluster is named, before anything is done', async () => {
  const start = run(process.execPath, [join(import.meta.dirname, 'start.ts'), '--with', 'kedda'])
  await expect(start).rejects.toThrow('npm start stopped: --with: expected keda, got "kedda"')
})

it('what did not happen in time is named, with the last reason', async () => {
  const never = until('the moon to fall', 0, async () => {
    throw new Error('it hangs')
  })
  await expect(never).rejects.toThrow('waited 0 s in vain for the moon to fall: it hangs')
})

it('an interrupted command ends with all that it started', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-command-'))
  const pidFile = join(folder, 'pid')
  const ended = expect(run('sh', ['-c', `sleep 600 & echo $! > ${pidFile}; wait`])).rejects.toThrow('ended with null')
  const pid = await until('the grandchild to start', 5, async () => readFileSync(pidFile, 'utf8').trim() || undefined)
  endCommands()
  await ended
  await until('the grandchild to end', 5, async () =>
    existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ') ? undefined : true,
  )
})
