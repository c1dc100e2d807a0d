/** This process lacks a permission that was asked for; the message says what for and which. */
export class ForbiddenError extends Error {
  override name = 'ForbiddenError'
}
