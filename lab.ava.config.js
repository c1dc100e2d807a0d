// The machines of test/lab: one at a time, and emulated ones take their time.
export default {
  files: ['dist/test/lab/**/*.test.js'],
  serial: true,
  concurrency: 1,
  workerThreads: false,
  timeout: '40m',
}
