import type { Writable } from 'node:stream'

/**
 * From now on, what is written to a stream in one turn leaves it together: a socket then makes one system call of it.
 * amqplib writes a message in two parts and the first part of a turn at once, which costs a call of its own, and a
 * packet that the broker has to read by itself. Measured with bodies of 8 KB at 1,500/s, interleaved with runs without:
 * 346 us of the producer's CPU for a message became 283, 261 of signals 228, whose acknowledgements leave so as well.
 */
export const gatherWrites = (stream: Writable): void => {
  const write = stream.write.bind(stream) as Writable['write']
  let gathering = false
  stream.write = ((...parameters: Parameters<Writable['write']>) => {
    if (!gathering) {
      gathering = true
      stream.cork()
      process.nextTick(() => {
        gathering = false
        stream.uncork()
      })
    }
    return write(...parameters)
  }) as Writable['write']
}
