import test from 'ava'
import fc from 'fast-check'
import { MAX_LINE_BYTES, MAX_VALUE_BYTES, Session } from '../../src/demo/session.js'
import { Store } from '../../src/demo/store.js'

const createSession = (): Session =>
  new Session(new Store(10_000_000), { gets: 0, sets: 0, hits: 0, connections: 0, totalConnections: 0 })

/** All answers to the pieces, in one text; 'quit' ends it. */
const talk = (pieces: readonly (string | Buffer)[], session = createSession()): string => {
  let answers = ''
  for (const piece of pieces) {
    session.push(Buffer.from(piece))
    for (let reply = session.next(); reply !== null; reply = session.next()) {
      if (reply === 'quit') return `${answers}quit`
      answers += reply.map(part => part.toString('latin1')).join('')
    }
  }
  return answers
}

test('stores, gives and deletes', t => {
  t.is(
    talk(['set a 5 0 3\r\nabc\r\nget a b\r\ndelete a\r\nget a\r\n']),
    'STORED\r\nVALUE a 5 3\r\nabc\r\nEND\r\nDELETED\r\nEND\r\n',
  )
})

test('keeps any bytes', t => {
  const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  const answers = talk([
    Buffer.concat([Buffer.from('set a 0 0 256\r\n'), value, Buffer.from('\r\nget a\r\n')]),
  ])
  t.is(answers, `STORED\r\nVALUE a 0 256\r\n${value.toString('latin1')}\r\nEND\r\n`)
})

test('answers the same however the bytes are split', t => {
  const script = Buffer.from(
    'set a 0 0 4\r\n\r\n\r\n\r\nget a\r\nset b 0 0 1 noreply\r\nb\r\ngets a b\r\nset c 0 0 2\r\ntoo long\r\nget\r\ndelete b\r\nget a b',
  )
  const whole = talk([script, '\r\n'])
  fc.assert(
    fc.property(fc.array(fc.nat(script.length), { maxLength: 20 }), cuts => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), script.length]
      const pieces = places.map((place, i) => script.subarray(place, places[i + 1] ?? script.length))
      return talk([...pieces, '\r\n']) === whole
    }),
  )
  t.regex(whole, /^STORED.*VALUE a 0 4.*CLIENT_ERROR bad data chunk.*ERROR.*DELETED.*END\r\n$/s)
})

test('takes any bytes without throwing, and answers by lines', t => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), pieces => {
      const answers = talk(pieces.map(piece => Buffer.from(piece)))
      return answers === '' || /(\r\n|quit)$/.test(answers)
    }),
  )
  t.pass()
})

test('refuses a value that is too large and goes on after it', t => {
  const length = MAX_VALUE_BYTES + 1
  const half = Buffer.alloc(length / 2, 'x')
  const pieces = [`set a 0 0 ${length}\r\n`, half, Buffer.alloc(length - half.length, 'x'), '\r\nversion\r\n']
  t.is(talk(pieces), 'SERVER_ERROR object too large for cache\r\nVERSION taut-demo\r\n')
})

test('closes on a line without end', t => {
  t.is(talk(['x'.repeat(MAX_LINE_BYTES)]), '')
  t.is(talk(['x'.repeat(MAX_LINE_BYTES), 'x']), 'quit')
})

test('counts for stats', t => {
  const session = createSession()
  talk(['set a 0 0 1\r\nx\r\nget a b\r\nget a\r\n'], session)
  const stats = talk(['stats\r\n'], session)
  for (const [name, value] of Object.entries({
    cmd_get: 3,
    cmd_set: 1,
    get_hits: 2,
    get_misses: 1,
    curr_items: 1,
  })) {
    t.true(stats.includes(`STAT ${name} ${value}\r\n`), `${name} in ${stats}`)
  }
  t.true(stats.endsWith('END\r\n'))
})
