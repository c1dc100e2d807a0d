// The demo's load, a process of its own: client.js PORT CONNECTIONS RATE. Tells its parent when it is connected, and
// prints one line of JSON when it is told to end.

import { startLoad } from './load.js'
import { endWithParent, tellParent } from './parent.js'

const [port = 0, connections = 0, rate = 0] = process.argv.slice(2).map(Number)

const fail = (error: Error): void => {
  process.stderr.write(`${error.message}\n`, () => process.exit(1))
}

process.title = 'taut-demo-load'
try {
  const load = await startLoad(port, connections, rate, fail)
  endWithParent(async () => {
    const result = await load.stop()
    process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit())
  })
  tellParent({ connections })
} catch (error) {
  fail(error instanceof Error ? error : new Error(String(error)))
}
