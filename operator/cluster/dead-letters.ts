const LIMIT_MS = 2_000

/**
 * Asks a pipeline's API how many archived dead letters are open. It tells anybody, so no token is needed.
 * @param domain of the cluster, such as cluster.local
 * @returns undefined when it does not answer in time, or does not say
 */
export const askOpenLetters = async (
  { name, namespace = '' }: { name: string; namespace?: string },
  domain: string,
): Promise<number | undefined> => {
  try {
    const answer = await fetch(`http://${name}-api.${namespace}.svc.${domain}:8080/api/health`, {
      signal: AbortSignal.timeout(LIMIT_MS),
    })
    const health = (await answer.json()) as { deadLetters?: { open?: unknown } } | null
    const open = health?.deadLetters?.open
    return typeof open === 'number' && Number.isSafeInteger(open) && open >= 0 ? open : undefined
  } catch {
    return undefined
  }
}
