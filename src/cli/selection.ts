import { BpfError } from 'libbpf-ts'
import { listMoves, resolveCpus } from '../knobs/cpu-values.js'
import { type Change, type Knob, type Selection, Unavailable } from '../knobs/knob.js'
import { UnsupportedError } from '../probes/unsupported.js'
import { listOnlineCpus } from '../system/cpus.js'
import { findBusiestNic, findNic, listNics, type Nic } from '../system/nics.js'
import type { Service } from '../system/services.js'
import { printable } from '../text/printable.js'
import { pickKernelTypes } from './btf-option.js'
import { chooseTarget, findTargets } from './choose-target.js'
import { EXIT, Failure } from './failure.js'

/** What a setting is for, in words. */
export type Selectors = {
  nic?: string | undefined
  cpus?: string | undefined
  /** A port, or `busiest`, that was asked for. */
  port?: string | undefined
  /** The same as a profile has it: the machine may be without. */
  service?: string | undefined
}

/**
 * Finds what the selectors name, as far as a knob asks for it; `before` is what settings before this one change. Throws a
 * Failure that lists what there is, an InvalidValue for CPUs, and an Unavailable when a profile's service can't be told.
 */
export const selectFor = async (
  knob: Knob,
  { nic = 'busiest', cpus, port, service }: Selectors,
  before: readonly Change[] = [],
): Promise<Selection> => {
  const facts = { online: listOnlineCpus(), nics: selectNics(nic, knob), moves: listMoves(before) }
  return {
    ...facts,
    before,
    cpus: knob.selector === 'cpus' && cpus !== undefined ? resolveCpus(cpus, facts) : null,
    service: knob.selector === 'service' ? await selectService(port, service) : null,
  }
}

/** Of other knobs than a device's, the values may speak of the device's CPUs: then it need not be there. */
const selectNics = (nic: string, { selector }: Knob): Nic[] => {
  const nics = listNics()
  if (nic === 'all') return nics
  if (nic === 'busiest') {
    const busiest = findBusiestNic(nics)
    return busiest === null ? [] : [busiest]
  }
  // Loopback is only meant when it is named.
  const named = findNic(nic)
  if (named === null && selector === 'nic')
    throw new Failure(
      `there is no network device ${nic} here (try: ${nics.map(({ name }) => printable(name)).join(', ')})`,
      EXIT.usage,
    )
  return named === null ? [] : [named]
}

const selectService = async (
  port: string | undefined,
  service: string | undefined,
): Promise<Service | null> => {
  if (port !== undefined) return findService(port)
  if (service === undefined) return null
  try {
    return await findService(service)
  } catch (error) {
    if (error instanceof Failure) throw new Unavailable(error.message, { cause: error })
    throw error
  }
}

const findService = async (text: string): Promise<Service> => {
  if (text === 'busiest') return findBusiestService()
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535)
    throw new Failure(`--port: '${text}' is no port (try 11211)`, EXIT.usage)
  const [target] = await findTargets({ port })
  if (target === undefined) throw new Failure(`nothing listens on port ${port}`)
  return target.service
}

/** By the probe that counts reads or, on a kernel that has none, by what its connections have received. */
const findBusiestService = async (): Promise<Service> => {
  try {
    return (await chooseTarget({}, pickKernelTypes({}))).service
  } catch (error) {
    if (!(error instanceof UnsupportedError || error instanceof BpfError)) throw error
    return (await chooseTarget({}, null)).service
  }
}
