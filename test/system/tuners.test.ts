import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { listTuners, reaches } from '../../src/system/tuners.js'
import { createMachine } from './fixtures/machine.js'

test('daemons by their names, cut ones too, and scripts by their interpreter’s arguments', t => {
  const [, proc] = createMachine(t, {
    'proc/1/comm': 'systemd\n',
    'proc/310/comm': 'irqbalance\n',
    'proc/420/comm': 'power-profiles-\n',
    'proc/500/comm': 'tuned\n',
    'proc/501/comm': 'python3.11\n',
    'proc/501/cmdline': '/usr/bin/python3.11\0-Es\0/usr/sbin/tuned\0-l\0-P\0',
    'proc/502/comm': 'python3\n',
    'proc/502/cmdline': 'python3\0/opt/thermald-report.py\0tuned\0',
    'proc/503/comm': 'python3\n',
    'proc/504/comm': 'vim\n',
    'proc/504/cmdline': 'vim\0/etc/irqbalance\0',
    'proc/505/comm': 'irqbalance-ui\n',
    'proc/self/comm': 'tuned\n',
  })
  t.deepEqual(listTuners(proc), [
    { name: 'irqbalance', pid: 310 },
    { name: 'power-profiles-daemon', pid: 420 },
    { name: 'tuned', pid: 500 },
    { name: 'tuned', pid: 501 },
  ])
  t.deepEqual(listTuners('/nowhere'), [])
  t.true(reaches({ name: 'irqbalance', pid: 310 }, 'irq.affinity'))
  t.false(reaches({ name: 'irqbalance', pid: 310 }, 'net.rps'))
  t.true(reaches({ name: 'tuned', pid: 500 }, 'vm.thp'))
})

test('a program of the name that runs on this machine is found', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-tuner-'))
  const path = join(folder, 'irqbalance')
  copyFileSync('/bin/cat', path)
  const child = spawn(path, { stdio: ['pipe', 'pipe', 'ignore'] })
  t.teardown(async () => {
    child.kill()
    await once(child, 'exit')
    rmSync(folder, { recursive: true })
  })
  // It echoes: then it runs under its own name.
  child.stdin.write('ready\n')
  await once(child.stdout, 'data')
  t.true(listTuners().some(({ name, pid }) => name === 'irqbalance' && pid === child.pid))
})
