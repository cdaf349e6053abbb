import { readFileSync } from 'node:fs'

/** True while the file is there and holds something: the pod's annotation, as the kubelet writes it. */
export const isAskedToDrain = (file: string): boolean => {
  try {
    return readFileSync(file, 'utf8').trim() !== ''
  } catch {
    return false // outside of a pod, or in one that another release rolled out, nobody asks
  }
}
