import { isIPv4, isIPv6 } from 'node:net'

const BYTES = 16
/** Before an IPv4 address that is written as one of IPv6. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

/** Gives an IPv4 or IPv6 address in the 16 bytes of IPv6, in the order of the wire; null when the text is none, or has a zone. */
export const parseAddress = (text: string): Uint8Array | null => {
  if (isIPv4(text)) return Uint8Array.from([...MAPPED, ...readIpv4(text)])
  if (!isIPv6(text) || text.includes('%')) return null
  const [head = '', tail] = text.split('::')
  const [first, last] = [readGroups(head), readGroups(tail ?? '')]
  const zeros = new Array<number>(BYTES - first.length - last.length).fill(0)
  return Uint8Array.from([...first, ...zeros, ...last])
}

/** Whether it is the address that stands for none, of either kind. */
export const isUnspecified = (address: Uint8Array): boolean =>
  address.every((byte, index) => byte === 0 || byte === MAPPED[index])

const readIpv4 = (text: string): number[] => text.split('.').map(Number)

const readGroups = (text: string): number[] =>
  text
    .split(':')
    .filter(group => group !== '')
    .flatMap(group => {
      if (group.includes('.')) return readIpv4(group)
      const value = Number.parseInt(group, 16)
      return [value >> 8, value & 0xff]
    })
