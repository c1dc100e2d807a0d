import { basename, join } from 'node:path'
import { listNumbered, readCpuList, readNatural, resolveLink } from './files.js'

/**
 * A CPU as the kernel numbers them, a hardware thread. What the kernel doesn't tell is null.
 *
 * `core` is unique only within its `package`. `siblings` are the threads of its core, itself included. `capacity` is
 * relative to the fastest core of a machine, which has 1024. `policy` is N of the cpufreq/policyN that it shares its
 * frequency with.
 */
export type Cpu = {
  id: number
  core: number | null
  package: number | null
  cluster: number | null
  siblings: number[]
  capacity: number | null
  maxKhz: number | null
  policy: number | null
  node: number | null
}

/** What x86 has for a cluster's number where it knows none: BAD_APICID of 16 and of 32 bits. */
const NO_CLUSTERS = new Set([0xffff, 0xffffffff])

/** Gives the CPUs that are online; none when sysfs doesn't tell. */
export const listOnlineCpus = (sys = '/sys'): number[] =>
  readCpuList(join(sys, 'devices/system/cpu/online')) ?? []

/**
 * Gives what is known of each CPU that is online.
 *
 * See the kernel's Documentation/ABI/testing/sysfs-devices-system-cpu.
 */
export const listCpus = (sys = '/sys'): Cpu[] =>
  listOnlineCpus(sys).map(id => readCpu(id, join(sys, `devices/system/cpu/cpu${id}`)))

const readCpu = (id: number, folder: string): Cpu => {
  const topology = join(folder, 'topology')
  const cluster = readNatural(join(topology, 'cluster_id'))
  // core_cpus_list since Linux 5.3, thread_siblings_list its older name.
  const siblings =
    readCpuList(join(topology, 'core_cpus_list')) ?? readCpuList(join(topology, 'thread_siblings_list')) ?? []
  const policy = /^policy(\d{1,4})$/.exec(basename(resolveLink(join(folder, 'cpufreq')) ?? ''))?.[1]
  return {
    id,
    core: readNatural(join(topology, 'core_id')),
    package: readNatural(join(topology, 'physical_package_id')),
    cluster: cluster !== null && NO_CLUSTERS.has(cluster) ? null : cluster,
    siblings: siblings.includes(id) ? siblings : [id],
    capacity: readNatural(join(folder, 'cpu_capacity')),
    maxKhz: readNatural(join(folder, 'cpufreq/cpuinfo_max_freq')),
    policy: policy === undefined ? null : Number(policy),
    node: listNumbered(folder, 'node')[0] ?? null,
  }
}
