import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Component } from '../../operator/decide/pipeline.ts'

/** Files of keys, as each component finds them in its pod. */
export type KeysFolder = {
  /** What a component's KEYS_DIR is. */
  of: (component: Component) => string
  /** Writes or, without a text, removes a key file of a component. */
  set: (component: Component, file: string, text: string | undefined) => void
  close: () => void
}

export const openKeysFolder = (): KeysFolder => {
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-keys-'))
  const of = (component: Component): string => join(folder, component)
  return {
    of,
    set: (component, file, text) => {
      mkdirSync(of(component), { recursive: true })
      const path = join(of(component), file)
      if (text === undefined) rmSync(path)
      else writeFileSync(path, text)
    },
    close: () => rmSync(folder, { recursive: true }),
  }
}
