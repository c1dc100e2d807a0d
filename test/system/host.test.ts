import { readFileSync } from 'node:fs'
import test from 'ava'
import { describeHost } from '../../src/system/host.js'

test('describes this machine', t => {
  const host = describeHost()
  t.deepEqual(Object.keys(host), ['hostname', 'kernel', 'architecture', 'cpus', 'cpu_model', 'memory_bytes'])
  t.is(host.kernel, readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim())
  t.is(host.cpus, readFileSync('/proc/stat', 'utf8').match(/^cpu\d+ /gm)?.length ?? 0)
  t.is(
    host.memory_bytes,
    1024 * Number(/^MemTotal:\s+(\d+) kB/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]),
  )
  t.not(host.cpu_model, '')
})
