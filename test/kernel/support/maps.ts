import { readdir, readFile } from 'node:fs/promises'
import { listMaps } from 'libbpf-ts'
import { COUNT_ENTRIES } from './fixtures.js'
import type { Context } from './kernel-test.js'
import { startProcess } from './processes.js'

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

/**
 * Gives the function that counts for how many connections and threads a process that traces without the kernel's BTF keeps
 * something: the entries of its hashes.
 */
export const createEntryCounter = async (
  t: Context,
  pid: number,
): Promise<() => Promise<{ connections: number; threads: number }>> => {
  const maps = await listHeldMaps(pid)
  const count = async (name: string): Promise<number> => {
    const map = maps.find(held => held.name === name)
    if (map === undefined) throw new Error(`process ${pid} holds no map of ${name}`)
    const { code, stdout, stderr } = await (await startProcess(t, COUNT_ENTRIES, [map.id])).ended
    if (code !== 0) throw new Error(`counting failed: ${stderr}`)
    return Number(stdout)
  }
  return async () => ({ connections: await count('connections'), threads: await count('threads') })
}
