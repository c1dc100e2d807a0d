import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import type { Context } from './kernel-test.js'
import type { Place } from './services.js'

/** What the service with its own clock answers a line with. */
const ANSWER = 'END\r\n'

/** Opens a connection, which the test may use as it likes; the service may break it. */
export const openConnection = async (t: Context, { host, port }: Place): Promise<Socket> => {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  return socket
}

/** Opens so many connections. */
export const openConnections = (t: Context, place: Place, count: number): Promise<Socket[]> =>
  Promise.all(Array.from({ length: count }, () => openConnection(t, place)))

/** Sends one request, whole, and does not wait for an answer. */
export const sendRequest = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write('request\n', error => (error ? reject(error) : resolve()))
  })

/** Waits for one answer. */
export const readAnswer = async (socket: Socket): Promise<void> => {
  let answer = ''
  while (!answer.endsWith(ANSWER)) {
    const [chunk] = await once(socket, 'data')
    answer += chunk
  }
}

/** Sends one request and waits for its answer. */
export const askOnce = async (socket: Socket): Promise<void> => {
  const answered = readAnswer(socket)
  await sendRequest(socket)
  await answered
}

/** Waits until the service's end of a connection, or the service itself, has gone. */
export const waitUntilClosed = async (socket: Socket): Promise<void> => {
  if (!socket.readableEnded && !socket.closed) {
    await new Promise(resolve => socket.resume().once('end', resolve).once('close', resolve))
  }
  socket.destroy()
}

/** Gives the number of established connections of a service on loopback that hold no payload it has not read. */
export const countReadConnections = async ({ port }: Place): Promise<number> => {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = (await readFile('/proc/net/tcp', 'latin1')).split('\n')
  return lines.filter(line => {
    const [, address, , state, queues] = line.trim().split(/\s+/)
    return address === local && state === '01' && queues?.endsWith(':00000000')
  }).length
}
