import { describe, expect, it } from 'vitest'
import { isCaught, runControl, runFault } from './fault.ts'
import { FAULTS } from './faults.ts'
import { print } from './oracle.ts'

const LIMIT_MS = 600_000

describe.each(FAULTS)('$name: $what', (fault) => {
  it(
    fault.expected,
    async () => {
      const sheet = await runFault(fault)
      console.log(print(fault.name, sheet))
      expect(sheet.violations).toEqual([])
    },
    LIMIT_MS,
  )

  it(
    `and with a defect it fails: ${fault.control.sabotage}`,
    async () => {
      const sheet = await runControl(fault)
      console.log(print(`control of ${fault.name}: ${fault.control.sabotage}`, sheet))
      expect(isCaught(fault, sheet), `expected a violation like ${fault.control.breaks}`).toBe(true)
    },
    LIMIT_MS,
  )
})
