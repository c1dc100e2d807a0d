import test from 'ava'
import { checkTools, checkVersion } from '../../src/cli/doctor-tools.js'

test('versions compare by their numbers', t => {
  for (const found of ['20.19.0', '20.20.2', '21.0.0', 'v20.19'])
    t.true(checkVersion('node', found, [20, 19]).ok, found)
  for (const found of ['20.9.0', '18.20.4', '2.30', 'none'])
    t.false(checkVersion('node', found, [20, 19]).ok, found)
  t.deepEqual(checkVersion('libbpf', 'v0.8', [1, 0]), {
    name: 'libbpf',
    ok: false,
    detail: 'v0.8',
    remedy: 'libbpf 1.0 or newer',
  })
})

test('what built this is found', t => {
  t.deepEqual(
    checkTools().map(({ name, ok }) => [name, ok]),
    ['node', 'libbpf', 'clang', 'gcc'].map(name => [name, true]),
  )
})
