// What test/lab runs in its machines, which are slow.
export default {
  files: ['dist/test/lab/guest/{order,order-within,knobs,queues,advise,tune,interrupts,without-btf}.js'],
  concurrency: 1,
  serial: true,
  timeout: '10m',
}
