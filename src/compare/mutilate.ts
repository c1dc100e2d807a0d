import { type Quantity, refuse, type Samples, summarizeRun } from './measurement.js'

/** A line of `mutilate --save FILE`: when a request was sent, in seconds, and how long it took, in microseconds. */
const LINE = /^\d+\.\d{6} (\d+\.\d{1,6})$/

/** Tells whether a text begins as mutilate writes it. */
export const isMutilate = (text: string): boolean => LINE.test(text.slice(0, text.indexOf('\n')).trim())

/** Reads one run's samples, of which there is one a line. */
export const readMutilate = (file: string, text: string, quantity: Quantity): Samples => {
  const samples: number[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const [, us] = LINE.exec(line.trim()) ?? []
    if (us === undefined) return refuse(file, index + 1, 'it is no line of mutilate --save')
    samples.push(Number(us))
  }
  return {
    quantity: `${quantity}_us`,
    unit: 'file',
    runs: new Map([[file, samples]]),
    summarize: each => summarizeRun(each, quantity),
    parts: samples.length,
  }
}
