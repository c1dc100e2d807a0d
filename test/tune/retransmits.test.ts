import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import test from 'ava'
import { openRetransmits } from '../../src/tune/retransmits.js'

/** The same of this process's network namespace, read by name. */
const readOwn = (): number => {
  const [names = [], values = []] = readFileSync('/proc/self/net/snmp', 'utf8')
    .split('\n')
    .filter(line => line.startsWith('Tcp:'))
    .map(line => line.split(' '))
  return Number(values[names.indexOf('RetransSegs')])
}

test("segments that are sent again are those of the process's network, and go on to be when it has ended", async t => {
  const process = spawn('sleep', ['60'])
  await once(process, 'spawn')
  using retransmits = openRetransmits(process.pid ?? 0)
  const assertOwn = (): void => {
    const before = readOwn()
    const count = retransmits.read()
    t.true(count >= before && count <= readOwn(), `${count}, not ${before}`)
  }
  assertOwn()
  process.kill('SIGKILL')
  await once(process, 'exit')
  assertOwn()
})

test('of a process that is not there they are none', t => {
  using retransmits = openRetransmits(2 ** 22 + 1)
  t.is(retransmits.read(), 0)
})
