import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/**
 * Runs in the machine: measures memcached at ADDRESS PORT, says `ready`, waits until somebody connects to the next port,
 * and prints what `taut measure` says as one line of JSON. Arguments after these go to taut.
 */
const TAUT = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
const READY = '/run/taut-ready'

const [address = '', port = '', ...more] = process.argv.slice(2)
const memcached = spawn('memcached', ['-u', 'nobody', '-l', address, '-p', port, '-U', '0'], {
  stdio: 'inherit',
})
const isListening = async (): Promise<boolean> => {
  const socket = connect(Number(port), address)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
while (!(await isListening())) await setTimeout(100)
const args = [TAUT, 'measure', '--port', port, '--json', '--for', '24h', '--ready-file', READY, ...more]
const taut = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
let output = ''
taut.stdout.setEncoding('utf8').on('data', text => {
  output += text
})
const ended = once(taut, 'close')
while (!existsSync(READY) && taut.exitCode === null) await setTimeout(100)
if (taut.exitCode !== null) throw new Error(`taut ended with ${taut.exitCode}`)
const server = createServer().listen(Number(port) + 1, address)
await once(server, 'listening')
process.stdout.write('ready\n')
const [connection] = await once(server, 'connection')
connection.destroy()
server.close()
taut.kill('SIGINT')
await ended
memcached.kill()
process.stdout.write(`${output}\n`)
