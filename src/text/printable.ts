import { stripVTControlCharacters } from 'node:util'

/** A text from outside (a process's name) without terminal escapes, control and invisible characters, or line breaks. */
export const printable = (text: string): string =>
  stripVTControlCharacters(text).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
