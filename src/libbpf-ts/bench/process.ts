import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Gives the path of a program of this folder, compiled from C. */
export const compileProgram = (name: string): string => {
  const output = join(root, 'dist/bench', name)
  mkdirSync(dirname(output), { recursive: true })
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', output, join(root, 'bench', `${name}.c`), '-lbpf'])
  return output
}

/** Gives the numbers of the CPUs that this process may run on. */
const listCpus = (): number[] => {
  const [, list = ''] = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return list.split(',').flatMap(range => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

const cpus = listCpus()

/** The CPU for readers and the one for writers: the scheduler would now and then put both on one. */
export const [readerCpu = 0, writerCpu = readerCpu] = cpus

/** Has this thread, and the processes that it starts, stay on the readers' CPU. */
export const stayOnReaderCpu = (): void => {
  execFileSync('taskset', ['-cp', String(readerCpu), String(process.pid)], { stdio: 'ignore' })
}

/** A process that answers each line with a line. */
export interface Answerer extends Disposable {
  readonly pid: number
  /** Gives the next line that it writes; throws an Error when it ends instead. */
  read(): Promise<string>
  /** Has it begin what it does. */
  ask(): void
}

/** Starts a process that answers, on a CPU; it ends when disposed of. */
export const startAnswerer = (cpu: number, path: string, args: readonly string[]): Answerer => {
  const child = spawn('taskset', ['-c', String(cpu), path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    pid: child.pid ?? 0,
    read: async () => {
      const { done, value } = await lines.next()
      if (done) {
        throw new Error(`${path} ended early`)
      }

      return value
    },
    ask: () => {
      child.stdin.write('\n')
    },
    [Symbol.dispose]: () => {
      child.stdin.end()
    },
  }
}
