import type { Recorded } from './measure.ts'

type Point = readonly [x: number, y: number]
type Panel = { title: string; lines: { name: string; points: readonly Point[] }[] }

const [WIDTH, PANEL_HEIGHT, LEFT, TOP, GAP] = [760, 170, 56, 34, 44]
/** Told apart without seeing red and green (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00']
const PLOT_WIDTH = WIDTH - LEFT - 16

/** A number above the most that reads well: 1, 2 or 5 times a power of ten. */
const roundUp = (most: number): number => {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)))
  return power * ([1, 2, 5, 10].find((step) => step * power >= most) as number)
}

/** Messages that are published and not yet stored, once a second. */
const waitingOf = (sentAt: readonly number[], storedAt: readonly number[], seconds: number): Point[] => {
  let [sent, stored] = [0, 0]
  return Array.from({ length: Math.ceil(seconds) }, (_, second) => {
    while ((sentAt[sent] ?? Number.POSITIVE_INFINITY) <= second) sent++
    while ((storedAt[stored] ?? Number.POSITIVE_INFINITY) <= second) stored++
    return [second, sent - stored]
  })
}

/** Messages stored a second, over ten seconds. */
const rateOf = (storedAt: readonly number[], seconds: number): Point[] => {
  const TENTH = 10
  const counts = new Array<number>(Math.ceil(seconds / TENTH)).fill(0)
  for (const at of storedAt) counts[Math.floor(at / TENTH)] = (counts[Math.floor(at / TENTH)] ?? 0) + 1
  return counts.map((count, index) => [(index + 0.5) * TENTH, count / TENTH])
}

const panelsOf = (arms: Record<string, Recorded>, seconds: number): Panel[] => {
  const lines = (of: (recorded: Recorded) => readonly Point[]) =>
    Object.entries(arms).map(([name, recorded]) => ({ name, points: of(recorded) }))
  return [
    {
      title: 'signals pods that are ready',
      lines: lines(({ moments }) => moments.map((one) => [one.seconds, one.ready])),
    },
    { title: 'messages that wait', lines: lines(({ sentAt, storedAt }) => waitingOf(sentAt, storedAt, seconds)) },
    { title: 'messages stored a second', lines: lines(({ storedAt }) => rateOf(storedAt, seconds)) },
  ]
}

/** An SVG of one scenario: pods, backlog and rate over time, a line for each arm. */
export const pictureOf = (scenario: string, arms: Record<string, Recorded>): string => {
  const seconds = Math.max(...Object.values(arms).map(({ moments }) => moments.at(-1)?.seconds ?? 0), 1)
  const panels = panelsOf(arms, seconds)
  const height = TOP + panels.length * (PANEL_HEIGHT + GAP)
  const x = (value: number): string => (LEFT + (value / seconds) * PLOT_WIDTH).toFixed(1)
  const drawn = panels.map(({ title, lines }, index) => {
    const top = TOP + 20 + index * (PANEL_HEIGHT + GAP)
    const most = roundUp(Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)), 1))
    const y = (value: number): string => (top + PANEL_HEIGHT * (1 - value / most)).toFixed(1)
    const grid = [0, 0.5, 1].map(
      (part) =>
        `<path d="M${LEFT} ${y(part * most)}h${PLOT_WIDTH}" stroke="#ddd"/><text x="${LEFT - 6}" y="${y(part * most)}" text-anchor="end" dy="4">${(part * most).toLocaleString('en-US')}</text>`,
    )
    const ticks = Array.from({ length: Math.floor(seconds / 30) + 1 }, (_, tick) => tick * 30)
      .filter((second) => seconds <= 240 || second % 60 === 0)
      .map((second) => `<text x="${x(second)}" y="${top + PANEL_HEIGHT + 15}" text-anchor="middle">${second} s</text>`)
    const paths = lines.map(
      ({ points }, which) =>
        `<polyline fill="none" stroke="${COLOURS[which]}" stroke-width="1.6" points="${points.map(([at, value]) => `${x(at)},${y(value)}`).join(' ')}"/>`,
    )
    return [`<text x="${LEFT}" y="${top - 6}">${title}</text>`, ...grid, ...ticks, ...paths].join('\n')
  })
  const legend = Object.keys(arms).map(
    (name, index) =>
      `<text x="${LEFT + 330 + index * 150}" y="20" fill="${COLOURS[index]}" font-weight="bold">${name}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="${LEFT}" y="20" font-weight="bold">${scenario}</text>
${legend.join('\n')}
${drawn.join('\n')}
</svg>
`
}
