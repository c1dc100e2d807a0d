/** The endurance suite: needs root and a real kernel; the longest test alone sends ten million requests. */
export default {
  files: ['dist/test/endurance/**/*.test.js'],
  concurrency: 1,
  serial: true,
  timeout: '15m',
}
