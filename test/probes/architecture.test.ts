import test from 'ava'
import { findMismatch, kernelArchitecture } from '../../src/probes/architecture.js'

test('the kernel has the names of Node', t => {
  t.is(kernelArchitecture('x86_64'), 'x64')
  t.is(kernelArchitecture('aarch64'), 'arm64')
  t.is(kernelArchitecture('armv7l'), 'arm')
  t.is(kernelArchitecture('riscv64'), 'riscv64')
  t.is(kernelArchitecture(), process.arch)
})

test('a program of 32 bits on a kernel of 64 is told, and nothing else', t => {
  t.regex(
    findMismatch('arm', 'aarch64') ?? '',
    /Node\.js here is for arm and the kernel for arm64: .*not supp/,
  )
  t.regex(findMismatch('ia32', 'x86_64') ?? '', /not supported/)
  t.is(findMismatch('arm', 'armv7l'), null)
  t.is(findMismatch('arm64', 'aarch64'), null)
  t.is(findMismatch('ppc64', 'ppc64le'), null)
  t.is(findMismatch(), null)
})
