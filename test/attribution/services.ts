import { SERVICE } from '../kernel/support/fixtures.js'
import { endProcess, startProcess, waitForOutput } from '../kernel/support/processes.js'
import { pinProcess } from '../kernel/support/scheduler.js'
import { type Account, startMemcached } from '../kernel/support/services.js'
import type { Machine } from './world.js'

/** A service in the server's namespace. */
export type Service = { pid: number; port: number; end: () => Promise<void> }

/** Starts memcached with one working thread, on a CPU. */
export const startMemcachedOn = async ({ t, server, host }: Machine, cpu: number): Promise<Service> => {
  const service = await startMemcached(t, ['-t', 1], { host, netns: server })
  await pinProcess(service.pid, cpu)
  const end = async (): Promise<void> => {
    await endProcess(service)
  }
  return { pid: service.pid, port: service.port, end }
}

/** Starts the service that knows its own delays, on the service's CPU; `finish` ends it and gives them. */
export const startServiceOn = async (
  { t, server, host, serviceCpu }: Machine,
  ...args: (string | number)[]
): Promise<Omit<Service, 'end'> & { finish: () => Promise<Account> }> => {
  const running = await startProcess(t, SERVICE, ['--host', host, ...args], { netns: server })
  const [, port] = await waitForOutput(running, /^port (\d+)\n/)
  await pinProcess(running.pid, serviceCpu)
  const finish = async (): Promise<Account> => {
    const { stdout } = await endProcess(running)
    return JSON.parse(stdout.slice(stdout.indexOf('{')))
  }
  return { pid: running.pid, port: Number(port), finish }
}
