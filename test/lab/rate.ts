/** Requests a second: emulated, one takes milliseconds, of which the next one must not be a part. */
export const RATE = 50
