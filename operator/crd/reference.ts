import { definition } from './definition.ts'
import type { Schema } from './schema.ts'

/** A manifest of k8s/samples: its file and its text, which begins with a comment that says what it is for. */
export type Sample = { file: string; text: string }

const [version] = definition.spec.versions
const schema = version?.schema.openAPIV3Schema as Schema & { properties: { spec: Schema; status: Schema } }

const typeOf = (field: Schema): string => {
  if (field.enum !== undefined) return field.enum.join(', ')
  if (field['x-kubernetes-int-or-string']) return 'quantity'
  if (field.items !== undefined)
    return `list of ${field.items.properties === undefined ? typeOf(field.items) : 'objects'}`
  if (field.additionalProperties !== undefined) return `map to ${typeOf(field.additionalProperties)}`
  const { minimum, maximum } = field
  if (minimum === undefined || maximum === undefined) return field.type ?? ''
  return `${field.type}, ${minimum} to ${maximum === Number.MAX_SAFE_INTEGER ? 'any' : maximum}`
}

const defaultOf = ({ default: value, properties }: Schema): string =>
  value === undefined || properties !== undefined ? '' : `\`${JSON.stringify(value)}\``

/** In a cell of a table a bar would end it, and a less-than sign would begin a tag. */
const inCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')

type Row = { path: string; field: Schema }

/** Every field in it, itself left out; those of a list's objects with [] behind the list. */
const rowsOf = (parent: Schema, path: string): Row[] =>
  Object.entries(parent.properties ?? {}).flatMap(([name, field]) => {
    const own = path === '' ? name : `${path}.${name}`
    return [
      { path: own, field },
      ...rowsOf(field, own),
      ...(field.items === undefined ? [] : rowsOf(field.items, `${own}[]`)),
    ]
  })

const tableOf = (rows: Row[]): string[] => [
  '| field | type | default | |',
  '|---|---|---|---|',
  ...rows.map(
    ({ path, field }) =>
      `| \`${path}\` | ${inCell(typeOf(field))} | ${inCell(defaultOf(field))} | ${inCell(field.description ?? '')} |`,
  ),
]

/** Every rule in it, with the sentence that a spec is refused with. */
const rulesOf = (parent: Schema): string[] => [
  ...(parent['x-kubernetes-validations'] ?? []).map(({ message = '' }) => message),
  ...Object.values(parent.properties ?? {}).flatMap(rulesOf),
  ...(parent.items === undefined ? [] : rulesOf(parent.items)),
]

/** The templates of the three services are the same; one is enough to read. */
const isRepeated = (path: string): boolean => /^(producer|signals|api)\.podTemplate\./.test(path)

const exampleOf = ({ file, text }: Sample): string[] => {
  const lines = text.trimEnd().split('\n')
  const start = lines.findIndex((line) => !line.startsWith('#'))
  const words = lines.slice(0, start).map((line) => line.replace(/^# ?/, ''))
  return [`### [${file}](../k8s/samples/${file})`, ...words, '', '```yaml', ...lines.slice(start), '```', '']
}

/** The reference of the resource, as Markdown. @param samples in the order in which they are to be read */
export const referenceOf = (samples: Sample[]): string => {
  const { spec, status } = schema.properties
  const columns = version?.additionalPrinterColumns ?? []
  return [
    '# XRayPipeline',
    '',
    'Generated from the definition and from k8s/samples; `npm run generate` writes it anew.',
    '',
    `${schema.description} It is namespaced, \`${definition.spec.group}/${version?.name}\`, \`xrp\` for short. How to change one that runs, and how to rotate its keys:`,
    '[pipelines.md](pipelines.md). `kubectl explain xrp.spec --recursive` tells the same as this page.',
    '',
    '    $ kubectl get xrp -n xray',
    '    NAME      READY   SIGNALS   BACKLOG   DLQ   AGE',
    '    leipzig   True    3/3       41        0     2d',
    '',
    ...columns.map(
      ({ name, description, priority = 0 }) =>
        `- \`${name.toUpperCase()}\`${priority > 0 ? ' (`-o wide`)' : ''}: ${description}`,
    ),
    '',
    '## Examples',
    '',
    ...samples.flatMap(exampleOf),
    '## spec',
    '',
    'What is left out gets its default from the API server, also within a part that is given in part.',
    '',
    ...tableOf(rowsOf(spec, '').filter(({ path }) => !isRepeated(path))),
    '',
    'The `podTemplate` of a service has the fields of the one for all. Its labels, annotations and variables are added to those, and its other fields stand in place of theirs.',
    '',
    '## What is refused',
    '',
    'Beside values out of the ranges above:',
    '',
    ...[...new Set(rulesOf(schema))].map((message) => `- ${message}`),
    '',
    '## status',
    '',
    ...tableOf(rowsOf(status, '')),
    '',
  ].join('\n')
}
