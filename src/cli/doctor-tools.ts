import { execFileSync } from 'node:child_process'
import { libbpfVersion } from 'libbpf-ts'
import type { Check } from './doctor-report.js'

const NODE_NEEDED = [20, 19] as const
const LIBBPF_NEEDED = [1, 0] as const

/** Gives what runs taut, and what builds it: without the latter it goes on running, and can't be built anew. */
export const checkTools = (): Check[] => [
  checkVersion('node', process.versions.node, NODE_NEEDED),
  checkVersion('libbpf', libbpfVersion, LIBBPF_NEEDED),
  checkCompiler('clang'),
  checkCompiler('gcc'),
]

/** Gives a check of a version, such as `v1.1`, against the oldest that will do. */
export const checkVersion = (
  name: string,
  found: string,
  [major, minor]: readonly [number, number],
): Check => {
  const [, foundMajor, foundMinor] = /^v?(\d+)\.(\d+)/.exec(found) ?? []
  const ok = Number(foundMajor) > major || (Number(foundMajor) === major && Number(foundMinor) >= minor)
  return { name, ok, detail: found, remedy: ok ? null : `${name} ${major}.${minor} or newer` }
}

const checkCompiler = (name: string): Check => {
  try {
    const [first = ''] = execFileSync(name, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n')
    return { name, ok: true, detail: first, remedy: null }
  } catch {
    return { name, ok: false, detail: 'not found: taut runs, and can not be built', remedy: './install.sh' }
  }
}
