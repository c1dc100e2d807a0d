import type { Context } from '../../kernel/support/kernel-test.js'
import { listHeldMaps } from '../../kernel/support/maps.js'
import { startProcess } from '../../kernel/support/processes.js'
import { waitFor } from '../../kernel/support/wait.js'
import { COUNT_STATE } from './programs.js'

/**
 * Gives the function that counts the sockets for which a process that traces keeps a connection's state. Where the kernel
 * refuses to list that, it counts the sockets that are open in the service's network namespace, and says so once: that nothing
 * is kept of others is the kernel's to see to.
 */
export const createStateCounter = async (
  t: Context,
  pid: number,
  netns: string,
): Promise<() => Promise<number>> => {
  const map = (await listHeldMaps(pid)).find(({ name }) => name === 'connections')
  if (map === undefined) throw new Error(`process ${pid} holds no map of connections`)
  let isTold = false
  return async () => {
    const counting = await startProcess(t, COUNT_STATE.program, [COUNT_STATE.object, map.id], { netns })
    const { code, stdout, stderr } = await counting.ended
    if (code !== 0) throw new Error(`counting failed: ${stderr}`)
    const [count, which] = stdout.trim().split(' ')
    if (which === 'open' && !isTold)
      t.log('this kernel refuses to list the state of sockets: of open ones only')
    isTold = true
    return Number(count)
  }
}

/** Waits until so many sockets have a state: the kernel frees that of a closed one in its own time. */
export const waitForState = async (countState: () => Promise<number>, sockets: number): Promise<void> => {
  let count = 0
  const look = async () => {
    count = await countState()
    return count === sockets ? true : null
  }
  await waitFor(`the state of ${sockets} sockets`, look).catch(error => {
    throw new Error(`${error.message}: there is that of ${count}`)
  })
}
