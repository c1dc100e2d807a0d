import type { WriteStream } from 'node:tty'

type Output = Pick<WriteStream, 'isTTY' | 'columns'>

/** Whether colours belong on this output: a terminal, and NO_COLOR (see no-color.org) does not forbid it. */
export const hasColor = ({ isTTY }: Output): boolean => isTTY === true && !process.env.NO_COLOR

/** The width to print for: the terminal's, or 80 where there is none. */
export const terminalColumns = ({ isTTY, columns }: Output): number =>
  isTTY === true && columns > 0 ? columns : 80

/** What a report to this output is formatted for. */
export const describeTerminal = (output: Output): { columns: number; color: boolean } => ({
  columns: terminalColumns(output),
  color: hasColor(output),
})
