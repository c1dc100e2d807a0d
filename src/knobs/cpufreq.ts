import { parseCpuList } from '../system/cpu-list.js'
import { listNumbered, readText } from '../system/files.js'
import { InvalidValue, type Selection, Unavailable } from './knob.js'
import type { Place } from './places/place.js'

const FOLDER = '/sys/devices/system/cpu/cpufreq'

/** The file of what a driver that chooses the frequency itself prefers, and that of what it offers. */
export const PREFERENCE = 'energy_performance_preference'
export const PREFERENCES = 'energy_performance_available_preferences'

/** A group of CPUs that have one frequency (Documentation/admin-guide/pm/cpufreq.rst). */
export type Policy = { name: string; read: (file: string) => string | null; number: (file: string) => number }

/**
 * Gives the policies of the CPUs chosen, all where none are. Throws an Unavailable where the machine has no driver for
 * its frequencies.
 */
export const listPolicies = ({ cpus }: Selection): Policy[] => {
  const policies = listNumbered(FOLDER, 'policy').map(number => createPolicy(`policy${number}`))
  if (policies.length === 0)
    throw new Unavailable(
      "this machine has no driver for its CPUs' frequencies (a virtual machine's are its host's)",
    )
  const chosen = policies.filter(({ read }) => {
    const own = parseCpuList((read('affected_cpus') ?? '').replaceAll(' ', ',') || '0')
    return cpus === null || own.some(cpu => cpus.includes(cpu))
  })
  if (chosen.length === 0) throw new InvalidValue('none of the CPUs chosen has a frequency of its own')
  return chosen
}

const createPolicy = (name: string): Policy => {
  const read = (file: string): string | null => readText(`${FOLDER}/${name}/${file}`)
  return { name, read, number: file => Number(read(file) ?? Number.NaN) }
}

/** Gives the place of a policy's file. */
export const policyFile = ({ name }: Policy, file: string) =>
  ({ kind: 'file', path: `${FOLDER}/${name}/${file}`, form: 'text' }) as const

/** Gives the policy among the chosen ones whose file a place is. */
export const findPolicy = (place: Place, selection: Selection): Policy | undefined =>
  listPolicies(selection).find(({ name }) => place.kind === 'file' && place.path.includes(`/${name}/`))

/** Drivers that choose the frequency themselves have governors of the same names that mean a preference. */
export const isSelfGoverned = ({ read }: Policy): boolean =>
  /^(intel_pstate|amd-pstate-epp)$/.test(read('scaling_driver') ?? '')

/** Gives what reads the words of a policy's file. */
export const readWordList =
  (file: string) =>
  ({ read }: Policy): string[] =>
    (read(file) ?? '').split(' ')
