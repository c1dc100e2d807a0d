import { rootPath } from '../kernel/support/fixtures.js'
import { boot, labTest } from './support.js'

/** What does not hold there, by titles of tests. */
const WITHOUT = [
  // Emulated, sleeping and computing for 2 ms bring other delays with them, and two that look on see each other's probes.
  '*finds in app_*',
  '*shows 2 ms*',
  'shows the 2 ms*',
  // Before 6.3 nothing tells how many are ahead of a datagram: of many that wait some are followed by their totals alone.
  'counts answers that come later*',
  'counts slow answers*',
  // ... but each is known before the service can read it.
  'answers that are sent before their*',
  // Emulated, a request may take longer than it should be from one to the next.
  'measuring ends in the middle*',
  // ... and those that measuring begins amid may be over.
  '*measuring begins amid them',
  // Emulated, requests are late and come together, and in a sample more of them than elsewhere.
  '*for each of its processes*',
  // Before 6.16 nothing tells when a call has come to TCP.
  '*times are parts*',
]

/** What of test/kernel does not depend on the machine's speed, a machine for each. */
const FILES = [
  'connections',
  'threads',
  'exact-counts',
  'sizes',
  'services',
  'datagrams',
  'shifted-answers',
  'clients',
  'overheads',
  'without-btf',
]

/** Requests of a test that sends two hundred thousand elsewhere. */
const REQUESTS = 5_000

for (const file of FILES) {
  labTest(`what the kernel tests assert in ${file} holds on an older kernel`, async t => {
    const matches = WITHOUT.map(each => `--match '!${each}'`)
    const { status, output } = await boot(
      t,
      `cd '${rootPath('.')}'
    export TAUT_TEST_EMULATED=1 TAUT_TEST_REQUESTS=${REQUESTS}
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config kernel.ava.config.js --no-color ${matches.join(' ')} dist/test/kernel/${file}.test.js`,
    )
    t.is(status, 0, output)
    t.notRegex(output, /skipped/)
    t.log(output)
  })
}
