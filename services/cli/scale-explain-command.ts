import type { CommandModule } from 'yargs'
import type { Act, World } from './commands.ts'
import { EXIT } from './failure.ts'
import { text } from './flags.ts'
import { readShown, type Shown, toExplanation } from './scale-explain.ts'

type Args = { file: string | undefined }

const shownTo = async (world: World, file: string | undefined): Promise<Shown> => {
  if (file === '-') return readShown(Buffer.concat(await world.input.toArray()).toString(), 'the standard input')
  if (file !== undefined) return readShown((await world.read(file)).toString(), file)
  const pipeline = await world.cluster().pipeline()
  return readShown(JSON.stringify(pipeline), `the pipeline ${pipeline.metadata.namespace}/${pipeline.metadata.name}`)
}

const scaleExplain = async (world: World, { file }: Args): Promise<number> => {
  const { text: explanation, same } = toExplanation(await shownTo(world, file))
  world.out(explanation)
  return same ? EXIT.ok : EXIT.failed
}

export const scaleCommand = (act: Act): CommandModule => ({
  command: 'scale',
  describe: 'the number of signals pods',
  builder: (y) =>
    y
      .command({
        command: 'explain',
        describe: 'makes the last decision again and shows each step; fails when it comes out otherwise',
        builder: (z) =>
          z.options({
            file: { ...text('a pipeline or its status, pasted; - is the standard input'), alias: 'f' },
          }) as never,
        handler: act(scaleExplain),
      } as CommandModule<object, Args>)
      .demandCommand(1, 'expected explain'),
  handler: () => undefined,
})
