import type { Nic, NicIrq } from '../system/nics.js'

/**
 * Gives the interrupts by which a network device tells of packets: those of its queues, if the names tell which they are, for a
 * device has others too, for its link or its configuration.
 */
export const chooseIrqs = ({ irqs }: Nic): NicIrq[] => {
  const ofQueues = irqs.filter(({ queue, direction }) => queue !== null || direction !== null)
  return ofQueues.length > 0 ? ofQueues : irqs
}
