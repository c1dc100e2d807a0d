import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { KVLOAD } from '../kernel/support/fixtures.js'

/**
 * Runs in the client's namespace, and prints its port: for each connection from the machine it starts the load client
 * with the arguments in the first line, and passes on what that prints; the next line starts the requests.
 */
const server = createServer(async socket => {
  socket.on('error', () => undefined)
  const lines = createInterface({ input: socket })
  const [line] = await once(lines, 'line')
  const args: (string | number)[] = JSON.parse(line)
  const client = spawn(KVLOAD, [...args.map(String), '--idle-first'], { stdio: ['pipe', 'pipe', 'inherit'] })
  client.stdin.on('error', () => undefined)
  lines.on('line', line => client.stdin.write(`${line}\n`))
  client.stdout.pipe(socket)
  socket.once('close', () => client.kill())
})
server.listen(0, () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.stdout.write(`port ${address.port}\n`)
})
