export { Btf } from './btf.js'
export { type BtfValue, decode } from './decode.js'
export { extractBtf, extractSection } from './elf.js'
export { encode } from './encode.js'
export { type BtfFunction, readFunctions } from './ext.js'
export type {
  BtfArray,
  BtfEnum,
  BtfEnum64,
  BtfInt,
  BtfKind,
  BtfLinkage,
  BtfMember,
  BtfType,
  BtfTypeOf,
  BtfVariable,
} from './types.js'
export { nameOf } from './walk.js'
