/** The tests that need root and a real kernel: one at a time, because they measure the same machine. */
export default {
  files: ['dist/test/kernel/**/*.test.js'],
  concurrency: 1,
  serial: true,
  timeout: '3m',
}
