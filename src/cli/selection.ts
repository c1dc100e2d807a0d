import type { Knob, Selection } from '../knobs/knob.js'
import { formatCpuList, parseCpuList } from '../system/cpu-list.js'
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
  /** A port, or `busiest`. */
  port?: string | undefined
}

/** Finds what the selectors name, as far as a knob asks for it. Throws a Failure that lists what there is. */
export const selectFor = async (
  knob: Knob,
  { nic = 'busiest', cpus, port }: Selectors,
): Promise<Selection> => {
  const online = listOnlineCpus()
  return {
    online,
    nics: selectNics(nic, knob),
    cpus: knob.selector === 'cpus' && cpus !== undefined ? selectCpus(cpus, online) : null,
    service: knob.selector === 'service' && port !== undefined ? await selectService(port) : null,
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

const selectCpus = (text: string, online: readonly number[]): number[] => {
  try {
    const cpus = parseCpuList(text)
    const offline = cpus.filter(cpu => !online.includes(cpu))
    if (offline.length > 0) throw new RangeError(`CPU ${formatCpuList(offline)} is not online`)
    return cpus
  } catch (error) {
    throw new Failure(`--cpus: ${error instanceof Error ? error.message : error}`, EXIT.usage)
  }
}

const selectService = async (text: string): Promise<Service> => {
  if (text === 'busiest') return (await chooseTarget({}, pickKernelTypes({}))).service
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535)
    throw new Failure(`--port: '${text}' is no port (try 11211)`, EXIT.usage)
  const [target] = await findTargets({ port })
  if (target === undefined) throw new Failure(`nothing listens on port ${port}`)
  return target.service
}
