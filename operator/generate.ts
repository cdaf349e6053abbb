import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { definition } from './crd/definition.ts'
import { referenceOf } from './crd/reference.ts'

/** Where the chart takes the definition from. */
export const CRD_FILE = 'charts/xray-operator/crd/xraypipelines.yaml'
export const REFERENCE_FILE = 'docs/xraypipeline.md'
export const SAMPLES = 'k8s/samples'

/** The definition as the chart has it. */
export const crdYaml = (): string =>
  `# Generated from operator/crd by "npm run generate"; do not edit.\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })}`

/** The simplest first. */
const ORDER = [
  'smallest.yaml',
  'leipzig.yaml',
  'production.yaml',
  'several.yaml',
  'managed-services.yaml',
  'fixed-size.yaml',
]

/** The reference, with every sample in it. @throws Error when a sample has no place in the order, or is not there */
export const reference = (): string => {
  const strangers = readdirSync(SAMPLES).filter((file) => !ORDER.includes(file))
  if (strangers.length > 0) throw new Error(`${strangers.join(', ')}: name it in the order of the samples`)
  return referenceOf(ORDER.map((file) => ({ file, text: readFileSync(join(SAMPLES, file), 'utf8') })))
}

if (import.meta.main) {
  writeFileSync(CRD_FILE, crdYaml())
  writeFileSync(REFERENCE_FILE, reference())
}
