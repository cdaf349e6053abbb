import { type Fault, isCaught, runControl, runFault } from './fault.ts'
import { FAULTS } from './faults.ts'
import { print } from './oracle.ts'

// `npm run test:faults [-- NAME ...]`: runs the faults by name, or all, each with its negative control.

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !FAULTS.some((fault) => fault.name === name))
if (unknown.length > 0) {
  console.error(`expected names of\n  ${FAULTS.map(({ name }) => name).join('\n  ')}\ngot ${unknown.join(', ')}`)
  process.exit(2)
}

const passes = async (fault: Fault): Promise<boolean> => {
  try {
    const sheet = await runFault(fault)
    console.log(print(fault.name, sheet))
    const controlled = await runControl(fault)
    console.log(print(`control: ${fault.control.sabotage}`, controlled))
    return sheet.violations.length === 0 && isCaught(fault, controlled)
  } catch (error) {
    console.log(`  could not be carried through: ${(error as Error).stack}`)
    return false
  }
}

let failed = 0
const faults = FAULTS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
for (const [index, fault] of faults.entries()) {
  const startedAt = performance.now()
  console.log(`[${index + 1}/${faults.length}] ${fault.what}: ${fault.expected}`)
  const passed = await passes(fault)
  if (!passed) failed++
  console.log(`  ${passed ? 'passed' : 'FAILED'} in ${Math.round((performance.now() - startedAt) / 1000)} s\n`)
}
console.log(`${faults.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
