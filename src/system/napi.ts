import { readdirSync, readFileSync } from 'node:fs'

/**
 * Whether any network interface, of whatever namespace, is polled by threads of the kernel instead of softirqs; they
 * are named `napi/INTERFACE-ID` (Documentation/networking/napi.rst, Threaded NAPI).
 */
export const hasThreadedNapi = (): boolean =>
  readdirSync('/proc').some(name => /^\d+$/.test(name) && readComm(name).startsWith('napi/'))

const readComm = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1')
  } catch {
    // It ended meanwhile.
    return ''
  }
}
