/** Gives a bit set of so many bits, in words of 64, with the given bits set. */
export const toBits = (numbers: readonly number[], size: number): bigint[] => {
  const words = Array.from({ length: Math.ceil(size / 64) }, () => 0n)
  for (const number of numbers) {
    const word = Math.floor(number / 64)
    words[word] = (words[word] ?? 0n) | (1n << BigInt(number % 64))
  }
  return words
}
