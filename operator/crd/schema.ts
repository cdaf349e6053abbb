/** A node of an OpenAPI v3 schema as a CustomResourceDefinition carries it. */
export type Schema = {
  type?: string
  description?: string
  default?: unknown
  properties?: Record<string, Schema>
  items?: Schema
  additionalProperties?: Schema
  required?: string[]
  enum?: string[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  minItems?: number
  maxItems?: number
  maxProperties?: number
  'x-kubernetes-int-or-string'?: boolean
  format?: string
  'x-kubernetes-validations'?: { rule: string; message?: string; messageExpression?: string }[]
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-list-type'?: string
  'x-kubernetes-list-map-keys'?: string[]
}

export const text = (description: string, more: Partial<Schema> = {}): Schema => ({
  type: 'string',
  description,
  maxLength: 253,
  ...more,
})

export const integer = (description: string, minimum: number, maximum: number, more: Partial<Schema> = {}): Schema => ({
  type: 'integer',
  description,
  minimum,
  maximum,
  ...more,
})

export const flag = (description: string, more: Partial<Schema> = {}): Schema => ({
  type: 'boolean',
  description,
  ...more,
})

export const object = (
  description: string,
  properties: Record<string, Schema>,
  more: Partial<Schema> = {},
): Schema => ({
  type: 'object',
  description,
  properties,
  ...more,
})

export const list = (description: string, items: Schema, more: Partial<Schema> = {}): Schema => ({
  type: 'array',
  description,
  items,
  ...more,
})

/** Names with values; bounded, so that a rule over them has a bounded cost. */
export const map = (description: string, more: Partial<Schema> = {}): Schema => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string', maxLength: 63 },
  maxProperties: 64,
  ...more,
})

/** A structure of Kubernetes' own that its API server checks when we hand it on. */
export const passedOn = (description: string): Schema => ({
  type: 'object',
  description,
  'x-kubernetes-preserve-unknown-fields': true,
})

/** A rule in CEL and the sentence that tells what to change. */
export const rule = (expression: string, message: string) => ({ rule: expression, message })

/**
 * Fills the defaults in: a part that is left out gets all of its own, and each field within, so that a part that is
 * given in part is completed, too.
 */
export const withDefaults = (schema: Schema, defaults: Record<string, unknown>): Schema => {
  const properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => {
      const value = defaults[name]
      if (value === undefined) return [name, property]
      const isPart = property.properties !== undefined && typeof value === 'object' && value !== null
      return [
        name,
        isPart
          ? { ...withDefaults(property, value as Record<string, unknown>), default: value }
          : { ...property, default: value },
      ]
    }),
  )
  return { ...schema, properties }
}
