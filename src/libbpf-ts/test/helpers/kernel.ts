import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext, type ImplementationFn } from 'ava'
import { BpfObject, listPrograms } from '../../lib/index.js'
import { compileObject } from './objects.js'

type Body = (t: ExecutionContext) => void | Promise<void>

/**
 * Declares a test that talks to the kernel: with root it runs, without it, or without BPF, it is skipped, and its title says why. It is skipped as
 * well where `findObstacle` gives what the kernel lacks.
 */
export const kernelTest = (title: string, body: Body, findObstacle?: () => string | undefined): void => {
  const obstacle = findObstacleToBpf() ?? findObstacle?.()
  if (obstacle === undefined) {
    test.serial(title, body as ImplementationFn<[]>)
  } else {
    test.skip(`${title} (${obstacle})`, body as ImplementationFn<[]>)
  }
}

const findObstacleToBpf = (): string | undefined => {
  if (process.getuid?.() !== 0) return 'needs root: loading BPF programs'
  try {
    listPrograms()
    return undefined
  } catch (error) {
    return `needs BPF: ${error instanceof Error ? error.message : error}`
  }
}

/** The number of the getuid system call, which the test programs wait for. */
export const getuidCall: bigint = { x64: 102n, arm64: 174n, arm: 199n }[process.arch as 'x64'] ?? 102n

/** Makes `count` of the system calls that the test programs wait for. */
export const callGetuid = (count = 1): void => {
  for (let call = 0; call < count; call++) {
    process.getuid?.()
  }
}

/** Gives how many file descriptors this process has open. */
export const countDescriptors = (): number => readdirSync('/proc/self/fd').length

/** Opens the object that counts this process's calls of getuid, without the program that can't load. */
export const openCounter = (): BpfObject => {
  const object = BpfObject.open(compileObject('counter'))
  object.program('count_nothing').autoload = false
  object.variable<number>('wanted_tgid').set(process.pid)
  object.variable<bigint>('wanted_call').set(getuidCall)
  return object
}

/** Waits until something is so: the kernel frees programs and links a moment after they are closed. */
export const waitUntil = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) {
    await setTimeout(5)
  }
}

/** Runs `body` with a BPF file system of its own, mounted for the while. */
export const withBpfFs = async (body: (path: string) => void | Promise<void>): Promise<void> => {
  const path = mkdtempSync(join(tmpdir(), 'libbpf-ts-'))
  execFileSync('mount', ['-t', 'bpf', 'bpf', path])
  try {
    await body(path)
  } finally {
    execFileSync('umount', [path])
    rmSync(path, { recursive: true })
  }
}

/** Runs `body` with a pair of network interfaces of its own, that nobody else uses. */
export const withInterface = async (body: (name: string) => void | Promise<void>): Promise<void> => {
  const name = `lt${process.pid}`
  execFileSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`])
  try {
    execFileSync('ip', ['link', 'set', name, 'up'])
    await body(name)
  } finally {
    execFileSync('ip', ['link', 'del', name])
  }
}

const tracefs = '/sys/kernel/tracing'

/** Runs a test with tracefs where libbpf looks for it, mounted for as long as it takes where nobody has. */
export const withTracefs = (body: Body): Body => {
  const isMounted = existsSync(`${tracefs}/events`)
  return async t => {
    if (!isMounted) execFileSync('mount', ['-t', 'tracefs', 'tracefs', tracefs])
    try {
      await body(t)
    } finally {
      if (!isMounted) execFileSync('umount', [tracefs])
    }
  }
}
