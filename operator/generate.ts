import { writeFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { definition } from './crd/definition.ts'

/** Where the chart takes the definition from. */
export const CRD_FILE = 'charts/xray-operator/crd/xraypipelines.yaml'

/** The file's text. */
export const crdYaml = (): string =>
  `# Generated from operator/crd by "npm run generate"; do not edit.\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })}`

if (import.meta.main) writeFileSync(CRD_FILE, crdYaml())
