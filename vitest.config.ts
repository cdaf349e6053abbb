import { defineConfig } from 'vitest/config'

const SYSTEM_TEST_MS = 180_000

/** One project for each kind of test: `vitest run --project unit`. */
const system = (name: string) => ({
  test: {
    name,
    include: [`tests/${name}/**/*.test.ts`],
    testTimeout: SYSTEM_TEST_MS,
    hookTimeout: SYSTEM_TEST_MS,
    // They share one cluster: a test that kills pods must not disturb another that counts messages.
    fileParallelism: false,
  },
})

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
          ],
        },
      },
      system('integration'),
      system('charts'),
      system('e2e'),
    ],
  },
})
