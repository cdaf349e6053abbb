/** How xrayctl ends, by what a script can do about it. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  notFound: 4,
  denied: 5,
  unreachable: 6,
  /** It needs a yes that nobody could give, or gave. */
  refused: 8,
  timeout: 124,
  interrupted: 130,
} as const

/** A failure that the user is told in one or two lines: what was expected, what came, what to do. */
export class Failure extends Error {
  override name = 'Failure'
  readonly exit: number
  /** Of the HTTP answer that it is about, where it is about one. */
  readonly status: number | undefined
  constructor(exit: number, message: string, status?: number) {
    super(message)
    this.exit = exit
    this.status = status
  }
}

/** The exit code of an HTTP status that is no success. */
export const exitOf = (status: number): number => {
  if (status === 401 || status === 403) return EXIT.denied
  if (status === 404) return EXIT.notFound
  return status === 400 || status === 422 ? EXIT.usage : EXIT.failed
}
