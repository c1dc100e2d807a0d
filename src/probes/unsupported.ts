/** This kernel or machine lacks what tracing needs; the message says what. */
export class UnsupportedError extends Error {
  override name = 'UnsupportedError'
}
