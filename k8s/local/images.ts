import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './command.ts'
import { ctr } from './node.ts'
import { CACHE, CHECKOUT, RUN } from './paths.ts'
import { binary } from './tools.ts'

const CONTAINERFILE = join(import.meta.dirname, 'images/Containerfile')

type Image = { name: string; tag: string; stage: string; binary?: () => Promise<string> }

const buildPause = async (): Promise<string> => {
  const path = join(CACHE, 'pause')
  await run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', path, '.'], {
    cwd: join(import.meta.dirname, 'images/pause'),
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
  })
  return path
}

/** Every image but the project's own; each by the name that the local cluster's chart values use. */
const IMAGES: Image[] = [
  { name: 'localhost/pause', tag: '1', stage: 'pause', binary: buildPause },
  { name: 'localhost/coredns', tag: '1.13', stage: 'coredns', binary: async () => binary('coredns', 'coredns') },
  { name: 'localhost/ferretdb', tag: '2.7', stage: 'ferretdb', binary: async () => binary('ferretdb', 'ferretdb') },
  { name: 'localhost/redis', tag: '8.0', stage: 'redis' },
  { name: 'localhost/rabbitmq', tag: '4.3', stage: 'rabbitmq' },
  { name: 'localhost/postgres-documentdb', tag: '18', stage: 'postgres-documentdb' },
  { name: 'localhost/prometheus', tag: '3.5', stage: 'prometheus' },
  {
    name: 'localhost/node',
    tag: '24',
    stage: 'node',
    binary: async () => join(CHECKOUT, 'node_modules/node/bin/node'),
  },
]

/** Buildah with a store of its own in the cache. */
export const buildah = (...args: string[]): Promise<string> =>
  run('buildah', [
    '--root',
    join(CACHE, 'buildah'),
    '--runroot',
    join(RUN, 'buildah'),
    '--storage-driver',
    'overlay',
    ...args,
  ])

const archiveOf = (image: string): string => join(CACHE, 'images', `${image.replaceAll(/[/:]/g, '_')}.tar`)

/** The mirror that this machine's own apt uses; it is read here and written nowhere. */
const mirrorOf = async (): Promise<string> => {
  const targets = await run('apt-get', ['indextargets', '--format', '$(SITE)', 'Created-By: Packages'])
  const site = targets.split('\n').find((line) => /debian\/?$/.test(line))
  if (site === undefined) throw new Error('apt names no Debian mirror: expected one whose address ends with "debian"')
  return site
}

/** Makes the Debian root file system that the images stand on, once. */
export const ensureDebian = async (): Promise<string> => {
  const stored = await buildah('images', '--format', '{{.Name}}:{{.Tag}}')
  if (stored.includes('localhost/debian:forky')) return 'in the cache'
  const root = join(CACHE, 'debian-forky')
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  // Debian 12's debootstrap has no script for forky; sid's does the same.
  await run('debootstrap', [
    '--variant=minbase',
    '--include=ca-certificates',
    'forky',
    root,
    await mirrorOf(),
    '/usr/share/debootstrap/scripts/sid',
  ])
  const container = (await buildah('from', 'scratch')).trim()
  await buildah('add', '--quiet', container, root, '/')
  await buildah('commit', '--quiet', container, 'localhost/debian:forky')
  await buildah('rm', container)
  rmSync(root, { recursive: true })
  return 'made with debootstrap'
}

const saved = async (image: string, build: () => Promise<unknown>): Promise<boolean> => {
  const archive = archiveOf(image)
  if (existsSync(archive)) return false
  await build()
  mkdirSync(join(CACHE, 'images'), { recursive: true })
  rmSync(`${archive}.saving`, { force: true })
  await buildah('push', '--quiet', image, `docker-archive:${archive}.saving:${image}`)
  renameSync(`${archive}.saving`, archive)
  return true
}

const buildStage = async ({ name, tag, stage, binary: source }: Image): Promise<void> => {
  const context = join(CACHE, 'context', stage)
  rmSync(context, { recursive: true, force: true })
  mkdirSync(context, { recursive: true })
  if (source !== undefined) copyFileSync(await source(), join(context, stage))
  await buildah(
    'bud',
    '--quiet',
    '--isolation',
    'chroot',
    '--layers',
    '--target',
    stage,
    '-t',
    `${name}:${tag}`,
    '-f',
    CONTAINERFILE,
    context,
  )
}

/** Images that need nothing but Debian's packages can be built while the compiler makes the tools for the others. */
const needsTools = ({ binary: source }: Image): boolean => source !== undefined

/** Builds the images that need no tool of ours. */
export const ensurePackageImages = (): Promise<string> => ensureEach(IMAGES.filter((image) => !needsTools(image)))

/** Builds the images that carry a tool of ours. */
export const ensureToolImages = (): Promise<string> => ensureEach(IMAGES.filter(needsTools))

/** Builds images; the archive's name holds the recipe's hash, so that a changed recipe is built anew. */
const ensureEach = async (images: Image[]): Promise<string> => {
  const recipe = createHash('sha256').update(readFileSync(CONTAINERFILE)).digest('hex').slice(0, 12)
  const built: string[] = []
  for (const image of images) {
    const marker = `${archiveOf(`${image.name}:${image.tag}`)}.${recipe}`
    if (!existsSync(marker)) rmSync(archiveOf(`${image.name}:${image.tag}`), { force: true })
    if (await saved(`${image.name}:${image.tag}`, () => buildStage(image))) built.push(image.stage)
    cpSync(CONTAINERFILE, marker)
  }
  return built.length === 0 ? 'all in the cache' : `built ${built.join(', ')}`
}

const imported = async (images: string[]): Promise<number> => {
  const there = (await ctr('images', 'ls', '-q')).split('\n')
  const missing = images.filter((image) => !there.includes(image))
  for (const image of missing) await ctr('images', 'import', archiveOf(image))
  return missing.length
}

/** Hands the images to the cluster. */
export const ensureImported = async (): Promise<string> => {
  const images = IMAGES.filter(({ stage }) => stage !== 'node').map(({ name, tag }) => `${name}:${tag}`)
  return `${await imported(images)} of ${images.length} images imported`
}

const PROJECT_FILES = ['Dockerfile', 'package.json', 'package-lock.json', 'services', 'operator']

/** The project's image is named by what is in it: an unchanged tree builds nothing, a changed one rolls out. */
export const projectImage = async (): Promise<string> => {
  const listed = await run(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...PROJECT_FILES],
    { cwd: CHECKOUT },
  )
  const hash = createHash('sha256')
  for (const file of listed
    .split('\0')
    .filter((name) => name !== '' && !name.endsWith('.test.ts'))
    .sort()) {
    const path = join(CHECKOUT, file)
    if (existsSync(path)) hash.update(`${file}\0`).update(readFileSync(path))
  }
  return `localhost/xrayiot:${hash.digest('hex').slice(0, 12)}`
}

/** Production dependencies, installed on this machine: npm cannot reach the registry from inside a build here. */
const ensureDependencies = async (): Promise<string> => {
  const hash = createHash('sha256')
    .update(readFileSync(join(CHECKOUT, 'package-lock.json')))
    .digest('hex')
    .slice(0, 12)
  const folder = join(CACHE, `dependencies-${hash}`)
  if (existsSync(folder)) return folder
  const app = join(`${folder}.building`, 'app')
  rmSync(`${folder}.building`, { recursive: true, force: true })
  mkdirSync(app, { recursive: true })
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(CHECKOUT, file), join(app, file))
  await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: app })
  renameSync(`${folder}.building`, folder)
  return folder
}

/** Builds the project's image from its one Dockerfile and imports it. */
export const ensureProjectImage = async (image: string): Promise<string> => {
  const built = await saved(image, async () => {
    const dependencies = await ensureDependencies()
    await buildah(
      'bud',
      '--quiet',
      '--isolation',
      'chroot',
      '--build-context',
      `deps=${dependencies}`,
      '--build-arg',
      'NODE_IMAGE=localhost/node:24',
      '--target',
      'runtime',
      '-t',
      image,
      '-f',
      join(CHECKOUT, 'Dockerfile'),
      CHECKOUT,
    )
  })
  await imported([image])
  return `${image} ${built ? 'built' : 'in the cache'}`
}
