import type { Context } from '../../kernel/support/kernel-test.js'
import { listHeldMaps } from '../../kernel/support/maps.js'
import { startProcess } from '../../kernel/support/processes.js'
import { waitFor } from '../../kernel/support/wait.js'
import { COUNT_STATE } from './programs.js'

/** Gives the function that counts the sockets for which a process that traces keeps a connection's state. */
export const createStateCounter = async (t: Context, pid: number): Promise<() => Promise<number>> => {
  const map = (await listHeldMaps(pid)).find(({ name }) => name === 'connections')
  if (map === undefined) throw new Error(`process ${pid} holds no map of connections`)
  return async () => {
    const counting = await startProcess(t, COUNT_STATE.program, [COUNT_STATE.object, map.id])
    const { code, stdout, stderr } = await counting.ended
    if (code !== 0) throw new Error(`counting failed: ${stderr}`)
    return Number(stdout)
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
