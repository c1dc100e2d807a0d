import { closeSync, openSync, readSync } from 'node:fs'

/** More than /proc/net/snmp takes. */
const MOST_BYTES = 1 << 16

/** Tells how many segments TCP has sent again; to be disposed of. */
export type Retransmits = Disposable & { read: () => number }

/**
 * Opens a process's count of segments sent again, which is its network namespace's (RetransSegs of RFC 4022): it goes on when the
 * process has ended, as a service does that is restarted meanwhile. Where there is none, it stays 0.
 */
export const openRetransmits = (pid: number): Retransmits => {
  const fd = open(`/proc/${pid}/net/snmp`)
  if (fd === null) return { read: () => 0, [Symbol.dispose]: () => {} }
  const buffer = Buffer.alloc(MOST_BYTES)
  return {
    read: () => parseRetransmits(buffer.toString('latin1', 0, readSync(fd, buffer, 0, MOST_BYTES, 0))),
    [Symbol.dispose]: () => closeSync(fd),
  }
}

const open = (path: string): number | null => {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}

const parseRetransmits = (text: string): number => {
  const [names = '', values = ''] = text.split('\n').filter(line => line.startsWith('Tcp:'))
  return Number(values.split(' ')[names.split(' ').indexOf('RetransSegs')] ?? 0) || 0
}
