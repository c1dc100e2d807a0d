import { execFile } from 'node:child_process'
import { BuildError, reasonOf } from './error.js'

/** What a run of clang gave: its exit code and what it wrote to stderr. */
export interface ClangRun {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs clang to its end; throws a BuildError when it can't be started or is killed. */
export const runClang = (clang: string, args: readonly string[]): Promise<ClangRun> =>
  new Promise((resolve, reject) => {
    execFile(clang, args, { maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      if (error === null) {
        resolve({ exitCode: 0, stdout, stderr })
      } else if (typeof error.code === 'number') {
        resolve({ exitCode: error.code, stdout, stderr })
      } else if (error.code === 'ENOENT') {
        reject(
          new BuildError(
            `cannot run ${clang}: it is not there, and C becomes BPF by clang only; ` +
              'install it (Debian and Ubuntu: apt install clang) or name another one',
            { cause: error },
          ),
        )
      } else {
        const why = error.signal ? `it was ended by ${error.signal}` : reasonOf(error)
        reject(
          new BuildError(`cannot run ${clang}: ${why}; see whether it works by itself`, { cause: error }),
        )
      }
    })
  })

/** What of the compiler goes into an object: which version it is and where it looks for the system's headers. */
export interface Compiler {
  readonly clang: string
  readonly version: string
  readonly systemDirs: readonly string[]
}

/**
 * Asks clang for its version and its header folders; throws a BuildError when there is no clang.
 * For BPF it leaves out the folder of the machine's own headers (asm/types.h), which linux/types.h needs.
 */
export const inspectClang = async (clang: string): Promise<Compiler> => {
  const [version, search] = await Promise.all([
    runClang(clang, ['--version']),
    runClang(clang, ['-v', '-E', '-x', 'c', '/dev/null']),
  ])
  if (version.exitCode !== 0) {
    throw new BuildError(`${clang} --version fails: ${version.stderr.trim()}; name a clang that works`)
  }

  const list = /^#include <\.\.\.> search starts here:$([\s\S]*?)^End of search list\.$/m.exec(search.stderr)
  const systemDirs = (list?.[1] ?? '').split('\n').flatMap(line => (line.trim() === '' ? [] : [line.trim()]))
  return { clang, version: version.stdout, systemDirs }
}
