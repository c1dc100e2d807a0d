import { BpfError } from 'libbpf-ts'
import type { Role } from '../latency/stages.js'
import type { Protocol } from '../system/sockets.js'
import type { Target } from '../system/target.js'
import type { KernelTypes } from './kernel-types.js'
import { OverheadProbes } from './overheads.js'
import { findMissing, type Support } from './support.js'
import { Tracer } from './tracer.js'
import { TrafficMeter } from './traffic.js'
import { UnsupportedError } from './unsupported.js'

/** Whether this machine takes the probes themselves, made for one purpose; and if not, why. */
export type Loading = { purpose: Purpose; error: BpfError | UnsupportedError | null }

/** What probes are made for. Without the first there is nothing to measure with. */
export type Purpose = 'tcp' | 'udp' | 'clients' | 'overheads' | 'traffic'

const KINDS: readonly { purpose: Purpose; protocol: Protocol; role: Role }[] = [
  { purpose: 'tcp', protocol: 'tcp', role: 'server' },
  { purpose: 'udp', protocol: 'udp', role: 'server' },
  { purpose: 'clients', protocol: 'tcp', role: 'client' },
]

/**
 * Loads the probes of every purpose for which this kernel has what is required, and frees them again: that it takes an empty
 * program at each point does not tell what its verifier says of the real ones. Throws what is neither a BpfError nor an UnsupportedError.
 */
export const tryLoading = (types: KernelTypes, support: readonly Support[]): Loading[] => {
  const kinds = KINDS.filter(({ protocol, role }) => findMissing(support, protocol, role) === null)
  return [
    ...kinds.map(({ purpose, protocol, role }) =>
      tryOne(purpose, () => Tracer.load(nobodysTarget(protocol, role), types)),
    ),
    tryOne('overheads', () => OverheadProbes.load(nobodysTarget('tcp', 'server'), types)),
    tryOne('traffic', () => new TrafficMeter(types)),
  ]
}

const tryOne = (purpose: Purpose, load: () => Disposable): Loading => {
  try {
    load()[Symbol.dispose]()
    return { purpose, error: null }
  } catch (error) {
    if (error instanceof BpfError || error instanceof UnsupportedError) return { purpose, error }
    throw error
  }
}

/** Of a network namespace that no process has, since nothing is attached. */
const nobodysTarget = (protocol: Protocol, role: Role): Target => ({
  role,
  ports: [1],
  netns: 0,
  pids: [],
  service: { port: 1, protocol, addresses: [], netns: 0, pids: [], pid: null, comm: null },
})
