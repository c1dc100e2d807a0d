import { buildFixtures, rootPath } from '../kernel/support/fixtures.js'
import { boot, labTest } from './support.js'

/** In each of test/kernel, what does not depend on the machine's speed; tests whose titles match are left out. */
const SUITES: { name: string; files: string[]; without?: string[] }[] = [
  { name: 'connections and threads', files: ['connections', 'threads'] },
  { name: 'exact counts', files: ['exact-counts'] },
  { name: 'sizes and services', files: ['sizes', 'services'] },
  {
    name: 'datagrams',
    files: ['datagrams'],
    // Emulated, sleeping and computing for 2 ms bring other delays with them. Before 6.3 nothing tells how many are ahead of a
    // datagram: of many that wait some are followed by their totals alone.
    without: ['finds in app_*', 'counts answers that come later*', 'counts slow answers*'],
  },
  {
    name: 'clients',
    files: ['clients'],
    // Emulated, a request may take longer than it should be from one to the next, and a delay brings others with it.
    without: ['measuring ends in the middle*', 'shows the 2 ms*'],
  },
  // Before 6.16 nothing tells when a call has come to TCP.
  { name: 'overheads', files: ['overheads'], without: ['times are parts*'] },
]

/** Requests of a test that sends two hundred thousand elsewhere. */
const REQUESTS = 5_000

for (const { name, files, without = [] } of SUITES) {
  labTest(`what the kernel tests assert of ${name} holds on an older kernel`, async t => {
    await buildFixtures()
    const chosen = files.map(file => `dist/test/kernel/${file}.test.js`)
    const matches = without.map(title => `--match '!${title}'`)
    const { status, output } = await boot(
      t,
      `cd '${rootPath('.')}'
    export TAUT_TEST_REQUESTS=${REQUESTS}
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config kernel.ava.config.js --no-color ${matches.join(' ')} ${chosen.join(' ')}`,
    )
    t.is(status, 0, output)
    t.notRegex(output, /skipped/)
    t.log(output)
  })
}
