/** The functions that generated decoders call, by name; each refers only to itself. */
const sources = {
  readText: `const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true })

const readText = (view: DataView, offset: number, length: number): string => {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, length)
  const end = bytes.indexOf(0)
  return textDecoder.decode(end === -1 ? bytes : bytes.subarray(0, end))
}`,
  readList: `const readList = <Value>(count: number, read: (index: number) => Value): Value[] => {
  const values: Value[] = []
  for (let index = 0; index < count; index++) {
    values.push(read(index))
  }

  return values
}`,
  readBits: `const readBits = (view: DataView, bitOffset: number, bits: number, littleEndian: boolean): bigint => {
  let value = 0n
  for (let bit = 0; bit < bits; bit++) {
    const at = bitOffset + bit
    const byte = view.getUint8(Math.floor(at / 8))
    const set = BigInt((byte >> (littleEndian ? at % 8 : 7 - (at % 8))) & 1)
    value = littleEndian ? value | (set << BigInt(bit)) : (value << 1n) | set
  }

  return value
}`,
} as const

/** The name of a function that decoders may need. */
export type Helper = keyof typeof sources

/** Gives the source of the helpers that were used, in a fixed order. */
export const writeHelpers = (used: ReadonlySet<Helper>): string[] =>
  (Object.keys(sources) as Helper[]).filter(name => used.has(name)).map(name => sources[name])
