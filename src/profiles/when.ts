import type { When } from './profile.js'

/** What of a machine a profile may ask for. */
export type Facts = {
  cpus: number
  isVirtual: boolean
  /** The model of the board or the machine; null when it has none to tell. */
  board: string | null
  architecture: string
  /** Of the network cards. */
  drivers: string[]
}

/** Gives what of a profile's demands a machine does not meet, each in a few words; nothing when it fits. */
export const explainUnmet = (when: When | undefined, facts: Facts): string[] => {
  const { cpus, virtual, board, architecture, driver } = when ?? {}
  const model = facts.board ?? 'unknown'
  const boards = board === undefined ? [] : [board].flat()
  return [
    cpus?.min !== undefined &&
      facts.cpus < cpus.min &&
      `it needs ${cpus.min} CPUs, and there are ${facts.cpus}`,
    cpus?.max !== undefined &&
      facts.cpus > cpus.max &&
      `it is for ${cpus.max} CPUs at most, and there are ${facts.cpus}`,
    virtual !== undefined &&
      virtual !== facts.isVirtual &&
      (virtual ? 'it is for virtual machines' : 'it is not for virtual machines'),
    boards.length > 0 &&
      !boards.some(name => model.toLowerCase().includes(name.toLowerCase())) &&
      `it is for ${boards.join(' or ')}, and this is ${model}`,
    architecture !== undefined &&
      !architecture.includes(facts.architecture) &&
      `it is for ${architecture.join(' or ')}, and this is ${facts.architecture}`,
    driver !== undefined &&
      !driver.some(name => facts.drivers.includes(name)) &&
      `it is for network cards of ${driver.join(' or ')}, and there is ${facts.drivers.join(', ') || 'none'}`,
  ].filter(reason => reason !== false)
}
