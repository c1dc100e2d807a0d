import { Duplex, PassThrough } from 'node:stream'

/** A terminal's output that keeps what is written to it. */
export class FakeOutput extends Duplex {
  written = ''
  isTTY: boolean
  columns: number
  rows: number

  constructor(columns: number, rows: number, isTTY = true) {
    super()
    this.columns = columns
    this.rows = rows
    this.isTTY = isTTY
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.written += chunk.toString()
    done()
  }

  /** Changes the size, as a person at the window would. */
  resize(columns: number, rows: number): void {
    this.columns = columns
    this.rows = rows
    this.emit('resize')
  }
}

/** A terminal's input that knows whether it is in raw mode. */
export class FakeInput extends PassThrough {
  isTTY = true
  isRaw = false

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw
    return this
  }
}
