import { readdir, readFile } from 'node:fs/promises'
import { listMaps } from 'libbpf-ts'
import type { Context } from '../../kernel/support/kernel-test.js'
import { startProcess } from '../../kernel/support/processes.js'
import { waitFor } from '../../kernel/support/wait.js'
import { COUNT_STATE } from './programs.js'

/** A map that a process holds: the bytes that the kernel charges for it, without elements in sockets and tasks. */
export type HeldMap = { id: number; name: string; bytes: number }

/** Gives the BPF maps that a process holds, by ascending id, each once. */
export const listHeldMaps = async (pid: number): Promise<HeldMap[]> => {
  const names = new Map(listMaps().map(({ id, name }) => [id, name]))
  const held = new Map<number, HeldMap>()
  for (const fd of await readdir(`/proc/${pid}/fdinfo`)) {
    // A file may be closed meanwhile.
    const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, 'latin1').catch(() => '')
    const id = Number(/^map_id:\t(\d+)$/m.exec(info)?.[1])
    const bytes = Number(/^memlock:\t(\d+)$/m.exec(info)?.[1])
    const name = names.get(id)
    if (name !== undefined) held.set(id, { id, name, bytes })
  }
  return [...held.values()].sort((a, b) => a.id - b.id)
}

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
