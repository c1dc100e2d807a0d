import { setTimeout } from 'node:timers/promises'

/** The first signal ends the measurement early, with its result; the second ends taut as it would anything. */
export const listenForInterrupt = (): AbortController => {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => controller.abort())
  }
  return controller
}

/** Waits for milliseconds, or until the signal is aborted. */
export const sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await setTimeout(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
