import type { LiveService } from './model.js'

/** Whether two entries of lists that were made at different times are of the same service. */
export const isSameService = (
  a: Pick<LiveService, 'netns' | 'port' | 'protocol' | 'pid'>,
  b: Pick<LiveService, 'netns' | 'port' | 'protocol' | 'pid'>,
): boolean => a.netns === b.netns && a.port === b.port && a.protocol === b.protocol && a.pid === b.pid

/** Where the cursor belongs when the list changes: on the service it was on, and at first on the one being traced. */
export const followService = (services: LiveService[], before: LiveService | undefined): number => {
  const wanted =
    before === undefined
      ? services.findIndex(service => service.chosen)
      : services.findIndex(service => isSameService(service, before))
  return Math.max(0, wanted)
}

/** The cursor moved by some lines, kept inside the list. */
export const moveCursor = (cursor: number, lines: number, count: number): number =>
  Math.max(0, Math.min(count - 1, cursor + lines))

/** The first line to show of a list so that the cursor is in sight, in the middle where the list is long enough. */
export const scrollTo = (cursor: number, count: number, rows: number): number =>
  Math.max(0, Math.min(count - rows, cursor - Math.floor(rows / 2)))
