import { relative } from 'node:path'
import test from 'ava'
import { mapPrefixes } from '../lib/prefixes.js'

test('outer folders swallow inner ones', t => {
  t.deepEqual(mapPrefixes(['/p/bpf/net', '/p/bpf', '/p/bpf', '/usr/include']), [
    '-ffile-prefix-map=/p/bpf/=',
    '-ffile-prefix-map=/usr/include/=',
  ])
})

test('a relative folder is called what its absolute name would be', t => {
  const inner = relative(process.cwd(), '/p/bpf/net')
  t.deepEqual(mapPrefixes([inner, '/p/bpf']), [
    '-ffile-prefix-map=/p/bpf/=',
    `-ffile-prefix-map=${inner}/=net/`,
  ])
})

test('the working folder has no name', t => {
  t.deepEqual(mapPrefixes(['.']), [`-ffile-prefix-map=${process.cwd()}/=`, '-ffile-prefix-map=./='])
})
