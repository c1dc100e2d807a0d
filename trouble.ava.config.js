/** Machines that are set wrong, each several times: needs root, a real kernel, and two CPUs that are otherwise idle. */
export default {
  files: ['dist/test/trouble/**/*.test.js'],
  concurrency: 1,
  serial: true,
  timeout: '30m',
}
