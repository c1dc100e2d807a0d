import type { StageName } from '../../src/latency/stages.js'
import { setNamespaceSysctl } from '../kernel/support/netns.js'
import type { Account } from '../kernel/support/services.js'
import type { Injection } from './injection.js'
import { startServiceOn } from './services.js'
import type { Machine } from './world.js'

const delayed = ({ delayed_ns }: Account): number => delayed_ns
/** While a thread is preempted it does not compute, nor copy. */
const delayedRunning = ({ delayed_ns, preempted_ns }: Account): number => delayed_ns - preempted_ns

const createDawdler = (
  stage: StageName,
  by: string,
  read: (account: Account) => number,
): Injection<Machine> => ({
  stage,
  by,
  start: async (world, delayUs) => {
    const service = await startServiceOn(world, '--place', stage, '--delay-us', delayUs)
    return { ...service, load: {}, end: async () => read(await service.finish()) }
  },
})

/** A service that does something else first. */
export const dispatch = createDawdler('dispatch', 'service that dawdles before recv', delayed)

/** A service that computes. */
export const appCpu = createDawdler('app_cpu', 'service that computes', delayedRunning)

/** A service that waits for something. */
export const appWait = createDawdler('app_wait', 'service that sleeps', delayed)

const LARGE_BYTES = 2 << 20
const LARGE_REQUEST = `set kvload-set 0 0 ${LARGE_BYTES}\r\n`.length + LARGE_BYTES + '\r\n'.length

/** A large copy, into memory that the kernel has yet to find pages for; the same one without that takes less. */
export const recv: Injection = {
  stage: 'recv',
  by: 'payloads of 2 MiB for a buffer without pages',
  start: async (world, delayUs) => {
    // Only when the whole request fits does the kernel wait until it is there.
    await setNamespaceSysctl(world.server, 'net.ipv4.tcp_rmem', `4096 131072 ${LARGE_REQUEST * 8}`)
    const cold = delayUs > 0 ? ['--cold-buffer'] : []
    const service = await startServiceOn(world, '--request-bytes', LARGE_REQUEST, ...cold)
    const end = async (): Promise<number> => delayedRunning(await service.finish())
    return { ...service, load: { 'set-bytes': LARGE_BYTES }, end }
  },
}
