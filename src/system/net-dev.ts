import { join } from 'node:path'
import { readText } from './files.js'

/** Gives how many packets each network device of a process's namespace has received since it was made (proc_net(5)), loopback too. */
export const readReceived = (pid: number | 'self' = 'self', proc = '/proc'): Map<string, number> =>
  new Map(
    (readText(join(proc, `${pid}/net/dev`)) ?? '').split('\n').flatMap(line => {
      // Behind the colon are the bytes, and then the packets.
      const [, name, packets] = /^ *([^\s:]+): *\d+ +(\d{1,16})\b/.exec(line) ?? []
      return name === undefined ? [] : [[name, Number(packets)] as const]
    }),
  )
