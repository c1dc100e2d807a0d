/** The attribution suite: needs root, a real kernel and two CPUs to itself. */
export default {
  files: ['dist/test/attribution/suite.js'],
  concurrency: 1,
  serial: true,
  timeout: '10m',
}
