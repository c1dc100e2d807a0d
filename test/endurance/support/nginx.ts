import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootPath } from '../../kernel/support/fixtures.js'
import type { Context } from '../../kernel/support/kernel-test.js'
import { runNginx } from '../../kernel/support/nginx.js'
import { waitForFile } from '../../kernel/support/wait.js'

/** nginx in a network namespace of its own. */
export type Nginx = { port: number; countRequests: () => Promise<number> }

/** In a namespace that is new every port is free. */
const PORT = 8080
const ASK = `GET /status HTTP/1.1\r\nHost: taut\r\nConnection: close\r\n\r\n`

/**
 * Starts nginx on loopback, with so many processes that share out connections evenly, each with room for so many.
 * `countRequests` asks it for its own count, of which asking is one.
 */
export const startNginx = async (
  t: Context,
  netns: string,
  processes: number,
  connections: number,
): Promise<Nginx> => {
  const server = `listen 127.0.0.1:${PORT} reuseport;
    location = / { return 200 "hello"; }
    location = /status { stub_status; }`
  const options = { processes, connections, keepalive: 'keepalive_timeout 1h;', server }
  const running = await runNginx(t, options, netns)
  // It listens by then.
  await waitForFile(join(running.folder, 'pid'), running)
  return { port: PORT, countRequests: () => askRequests(netns) }
}

const askRequests = async (netns: string): Promise<number> => {
  const program = rootPath('dist/test/kernel/fixtures/exchange.js')
  const ask = [process.execPath, program, '127.0.0.1', String(PORT), ASK, ' \n']
  const { stdout } = await promisify(execFile)('ip', ['netns', 'exec', netns, ...ask])
  return Number(/^ \d+ \d+ (\d+) $/m.exec(stdout)?.[1])
}
