/**
 * Gives `bits` bits from bit `bitOffset` on as an unsigned number.
 * Bits count from the low end of the first byte on little-endian machines, from its high end on big-endian ones.
 */
export const readBits = (
  bytes: Uint8Array,
  bitOffset: number,
  bits: number,
  littleEndian: boolean,
): bigint => {
  let value = 0n
  for (let bit = 0; bit < bits; bit++) {
    const at = bitOffset + bit
    const byte = bytes[at >>> 3] ?? 0
    const set = BigInt((byte >>> (littleEndian ? at & 7 : 7 - (at & 7))) & 1)
    value = littleEndian ? value | (set << BigInt(bit)) : (value << 1n) | set
  }

  return value
}

/** Puts the low `bits` bits of a value at bit `bitOffset`, in the order of `readBits`, and leaves the others alone. */
export const writeBits = (
  bytes: Uint8Array,
  bitOffset: number,
  bits: number,
  littleEndian: boolean,
  value: bigint,
): void => {
  for (let bit = 0; bit < bits; bit++) {
    const at = bitOffset + bit
    const mask = 1 << (littleEndian ? at & 7 : 7 - (at & 7))
    const set = (value >> BigInt(littleEndian ? bit : bits - 1 - bit)) & 1n
    const byte = bytes[at >>> 3] ?? 0
    bytes[at >>> 3] = set === 1n ? byte | mask : byte & ~mask
  }
}
