import { defineConfig } from 'vitest/config'

const SYSTEM_TEST_MS = 600_000

/** One project for each kind of test: `vitest run --project unit`. */
const system = (name: string, files = '**/*.test.ts') => ({
  test: {
    name,
    include: [`tests/${name}/${files}`],
    testTimeout: SYSTEM_TEST_MS,
    hookTimeout: SYSTEM_TEST_MS,
    // They share one cluster: a test that kills pods must not disturb another that counts messages.
    fileParallelism: false,
  },
})

/** Each file has a control plane and virtual hosts of its own, and waits most of the time. */
const aside = (name: string) => ({ test: { ...system(name).test, fileParallelism: true, maxWorkers: 3 } })

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'services/**/*.test.ts',
            'operator/**/*.test.ts',
            'k8s/**/*.test.ts',
            'tests/architecture/*.test.ts',
            'tests/bench/measured/*.test.ts',
            'tests/bench/scaling/*.test.ts',
            'tests/faults/memory.test.ts',
            'tests/faults/oracle.test.ts',
            'tests/faults/sabotage.test.ts',
          ],
        },
      },
      aside('operator'),
      system('keda'),
      system('integration'),
      system('charts'),
      system('e2e'),
      system('faults', 'faults.test.ts'),
    ],
  },
})
