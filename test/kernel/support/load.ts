import { KVLOAD } from './fixtures.js'
import type { Context } from './kernel-test.js'
import { startProcess, waitForOutput } from './processes.js'

/** What the client is to do: exactly so many requests. */
export type Load = {
  port: number
  requests: number
  host?: string
  protocol?: 'memcached' | 'redis' | 'http'
  connections?: number
  pipeline?: number
  /** Requests a second in all; without it as fast as they are answered. */
  rate?: number
  /** SETs of so many bytes instead of GETs. */
  'set-bytes'?: number
  /** Stores a value of so many bytes first, which is a request besides the counted ones. */
  'value-bytes'?: number
  /** A connection for every request. */
  reconnect?: true
  /** Gives up after so many seconds, 120 by default. */
  timeout?: number
}

/** What the client counted itself, and for how long a request it was on a CPU, and ready and had to wait for one. */
export type LoadResult = {
  requests: number
  misses: number
  mean_us: number
  seconds: number
  cpu_us: number
  run_delay_us: number
}

/** Sends the requests and gives the client's own count, after the last answer. */
export const runLoad = async (t: Context, load: Load, netns?: string, cpu?: number): Promise<LoadResult> => {
  const client = await startProcess(t, KVLOAD, listArguments(load), { netns, cpu })
  const { code, stdout, stderr } = await client.ended
  if (code !== 0) throw new Error(`the client failed: ${stderr}`)
  return checkResult(t, load, JSON.parse(stdout))
}

/** Opens the client's connections, and gives the function that sends the requests over them. */
export const connectFirst = async (
  t: Context,
  load: Load,
  netns?: string,
): Promise<() => Promise<LoadResult>> => {
  const client = await startProcess(t, KVLOAD, [...listArguments(load), '--idle-first'], { netns })
  await waitForOutput(client, /^connected\n/)
  return async () => {
    client.child.stdin?.write('\n')
    const { code, stdout, stderr } = await client.ended
    if (code !== 0) throw new Error(`the client failed: ${stderr}`)
    return checkResult(t, load, JSON.parse(stdout.slice('connected\n'.length)))
  }
}

/** Gives the load client's arguments. */
export const listArguments = (load: Load): (string | number)[] =>
  Object.entries(load).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, value]))

/** Asserts that the client sent what it was to. */
export const checkResult = (t: Context, load: Load, result: LoadResult): LoadResult => {
  t.is(result.requests, load.requests)
  return result
}
