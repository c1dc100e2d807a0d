// The demo's service, a process of its own: listens on a free port of loopback, tells its parent which, and ends
// with it.
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { endWithParent, tellParent } from './parent.js'
import { type Counters, Session } from './session.js'
import { Store } from './store.js'

const LIMIT_BYTES = 16 * 1024 * 1024

const store = new Store(LIMIT_BYTES)
const counters: Counters = { gets: 0, sets: 0, hits: 0, connections: 0, totalConnections: 0 }

const serve = (socket: Socket): void => {
  const session = new Session(store, counters)
  counters.connections++
  counters.totalConnections++
  socket.setNoDelay()

  let isOver = false
  const answer = (): void => {
    // Corked, so that the answers to what arrived together leave together.
    socket.cork()
    // A client that reads slowly leaves the rest of its requests waiting, not their answers.
    while (!isOver && !socket.writableNeedDrain) {
      const reply = session.next()
      if (reply === null) break
      if (reply === 'quit') {
        isOver = true
        socket.destroySoon()
        break
      }
      for (const piece of reply) socket.write(piece, 'latin1')
    }
    socket.uncork()
    if (socket.writableNeedDrain) socket.pause()
    else socket.resume()
  }

  socket.on('data', chunk => {
    if (isOver) return
    session.push(chunk)
    answer()
  })
  socket.on('drain', answer)
  // A reset connection is the client's affair.
  socket.on('error', () => socket.destroy())
  socket.on('close', () => counters.connections--)
}

process.title = 'taut-demo'
endWithParent(() => process.exit())
const server = createServer(serve)
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
  tellParent({ port: (server.address() as AddressInfo).port })
})
