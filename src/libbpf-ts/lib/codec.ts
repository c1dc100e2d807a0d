import { type Btf, type BtfValue, decode, encode, nameOf } from './btf/index.js'

/** A key or a value: decoded by its BTF type, or the raw bytes where there is no type. */
export type Value = BtfValue | Uint8Array

/** Turns the bytes of keys or values into plain JavaScript and back. */
export interface Codec {
  /** The C name of the type, undefined where only bytes are known. */
  readonly typeName: string | undefined
  decode(bytes: Uint8Array): Value
  /** Raw bytes pass as they are; throws a TypeError or RangeError that starts with the argument's name. */
  encode(value: unknown, argument: string): Uint8Array
}

const checkSize = (bytes: Uint8Array, size: number, argument: string): Uint8Array => {
  if (bytes.length !== size) {
    throw new RangeError(`${argument} must be ${size} bytes long, it is ${bytes.length}`)
  }

  return bytes
}

const rawCodec = (size: number): Codec => ({
  typeName: undefined,
  decode: bytes => bytes.slice(),
  encode(value, argument) {
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(`${argument} must be a Uint8Array of ${size} bytes: the object has no type for it`)
    }

    return checkSize(value, size, argument)
  },
})

/** Gives the codec for values of `size` bytes of a BTF type; without a type it passes bytes. */
export const createCodec = (btf: Btf | undefined, typeId: number, size: number): Codec => {
  if (btf === undefined || typeId === 0 || btf.sizeOf(typeId) !== size) {
    return rawCodec(size)
  }

  return {
    typeName: nameOf(btf, typeId),
    decode: bytes => decode(btf, typeId, bytes),
    encode(value, argument) {
      if (value instanceof Uint8Array) {
        return checkSize(value, size, argument)
      }

      const bytes = new Uint8Array(size)
      encode(btf, typeId, value, bytes, 0, argument)
      return bytes
    },
  }
}

/** Gives the codec for a value on every possible CPU: an array with one element each, every 8-byte rounded. */
export const createPerCpuCodec = (element: Codec, size: number, stride: number): Codec => {
  const step = Math.ceil(size / 8) * 8
  const cpus = stride / step
  return {
    typeName: element.typeName,
    decode: bytes =>
      Array.from({ length: cpus }, (_, cpu) =>
        element.decode(bytes.subarray(cpu * step, cpu * step + size)),
      ) as BtfValue[],
    encode(value, argument) {
      if (value instanceof Uint8Array) {
        return checkSize(value, stride, argument)
      }

      if (!Array.isArray(value) || value.length !== cpus) {
        throw new TypeError(`${argument} must be an array of ${cpus} values, one for each possible CPU`)
      }

      const bytes = new Uint8Array(stride)
      for (const [cpu, one] of value.entries()) {
        bytes.set(element.encode(one, `${argument}[${cpu}]`), cpu * step)
      }

      return bytes
    },
  }
}
