import { stripVTControlCharacters } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { formatReport } from '../../src/cli/report.js'
import { STAGES } from '../../src/latency/stages.js'
import { displayWidth } from '../../src/text/width.js'
import { exampleDocument } from '../latency/example-document.js'

const document = exampleDocument()
const plain = (columns: number): string => formatReport(document, { columns, color: false })

test('the report reads from the service to what it cost', t => {
  const lines = plain(80).split('\n')
  t.is(lines[0], 'memcached, pid 1234, tcp port 11211: 20,000 requests in 1.00 s (20,000/s)')
  t.regex(lines[2] ?? '', /^mean [\d.]+ µs {2}p50 [\d.]+ µs {2}p90 .* p99 .* p99\.9 .* max /)
  t.regex(lines[4] ?? '', /^stage +mean +p50 +p99 +of all time +of slowest 1 %$/)
  t.deepEqual(
    lines.slice(5, 14).map(line => line.split(' ')[0]),
    document.stages.map(stage => stage.name),
  )
  t.true(plain(80).endsWith('\n'))
})

test('the stages of a report are those of the document, with their shares', t => {
  const runqueue = plain(80).match(/^runqueue .*$/m)?.[0] ?? ''
  const tail = document.tail.find(row => row.from_percentile === 99)
  const share = Math.round((100 * (tail?.stages.runqueue ?? 0)) / (tail?.mean_us ?? 0))
  t.regex(runqueue, new RegExp(` ${share} % █+▌?$`))
})

test('what dominates the tail is explained, and nothing else', t => {
  const text = plain(200)
  t.regex(text, /\d\d % of the slowest 1 % \(200 requests, mean \d+ µs\) is runqueue: the service was ready/)
  t.notRegex(text, /is qdisc:/)
})

test('a second stage that dominates is explained too', t => {
  const [p50, p90, , p999] = document.tail
  const row = {
    from_percentile: 99,
    requests: 200,
    mean_us: 100,
    stages: { recv: 30, runqueue: 60, send: 10 },
  }
  const tail = [p50, p90, row, p999].filter(each => each !== undefined)
  const text = formatReport({ ...document, tail }, { columns: 200, color: false })
  t.regex(text, /60 % of the slowest 1 % \(200 requests, mean 100 µs\) is runqueue: .*\n30 % of it is recv: /)
  t.notRegex(text, /is send:/)
})

test('a report fits its columns, down to 40', t => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.boolean(), (columns, color) => {
      for (const line of formatReport(document, { columns, color }).split('\n')) {
        t.true(displayWidth(stripVTControlCharacters(line)) <= Math.max(40, columns), line)
      }
    }),
  )
})

test('colour adds terminal codes and changes nothing else', t => {
  const colored = formatReport(document, { columns: 80, color: true })
  t.true(colored.includes('\u001B['))
  t.is(stripVTControlCharacters(colored), plain(80))
  t.false(plain(80).includes('\u001B'))
})

test('losses are always told, and only alarm when there are any', t => {
  t.regex(
    plain(100),
    /^Lost: nothing \(ring buffer full 0, map full 0, unmatched 0, clock 0, recursion 0\)\.$/m,
  )
  const lost = { ringbuf_full: 0, map_full: 1234, unmatched: 0, clock: 1, recursion: 0 }
  const text = formatReport({ ...document, lost }, { columns: 120, color: true })
  t.true(
    text.includes('\u001B[31mLOST: ring buffer full 0, map full 1,234, unmatched 0, clock 1, recursion 0.'),
  )
})

test('what each loss means for the numbers is told', t => {
  const tell = (losses: object): string => {
    const lost = { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0, ...losses }
    return formatReport({ ...document, lost }, { columns: 200, color: false }).replaceAll('\n', ' ')
  }
  t.regex(
    tell({ ringbuf_full: 2 }),
    / LOST: ring buffer full 2, .*recursion 0\. What found the ring buffer full is counted, and could not be kept as an example\. In flight/,
  )
  t.regex(
    tell({ map_full: 4, recursion: 1 }),
    /recursion 1\. Requests that a map had no room for are not in the numbers above\. Where the kernel left out the run of a probe the request is counted, and may lack a stage\. In flight/,
  )
  t.regex(
    tell({ clock: 1 }),
    /recursion 0\. Times that would have been negative are not in the numbers above\. In flight/,
  )
})

test('why there are no overheads is told', t => {
  const overheads = { ...document.overheads, sample: null, reason: 'the kernel refuses their probes' }
  const text = formatReport({ ...document, overheads }, { columns: 80, color: false })
  t.regex(text, /^The socket API: not sampled, the kernel refuses their probes\.$/m)
})

test('what the service took is told as far as it is known', t => {
  t.regex(plain(80), /^The service took 84\.2 % of a core and 12\.3 MB of memory\.$/m)
  const restarted = { cpu_percent: null, rss_bytes: 12_300_000 }
  t.regex(
    formatReport({ ...document, service: restarted }, { columns: 120, color: false }),
    /^The service took 12\.3 MB of memory; how much of a core is not known: its processes changed meanwhile\.$/m,
  )
  const service = { cpu_percent: null, rss_bytes: null }
  t.notRegex(formatReport({ ...document, service }, { columns: 80, color: false }), /The service took/)
})

test('cost says what was not measured', t => {
  t.regex(plain(80), /^taut itself: 612 ns a request in the kernel, 0\.7 % of a core, 61\.0 MB of memory\.$/m)
  const cost = {
    bpf_ns_per_request: null,
    agent_cpu_percent: null,
    agent_rss_bytes: null,
    machine_percent: null,
    budget_percent: null,
  }
  const text = formatReport({ ...document, cost }, { columns: 80, color: false })
  t.regex(text, /^taut itself: kernel time not measured\.$/m)
})

test('without requests the report says so and shows no table and no NaN', t => {
  const text = formatReport(exampleDocument(0), { columns: 80, color: false })
  t.regex(text, /: 0 requests in 1\.00 s/)
  t.regex(text, /No request was answered/)
  t.notRegex(text, /NaN|Infinity|undefined|null|^stage/m)
  for (const stage of STAGES) {
    t.false(text.includes(`${stage} `))
  }
})

test("a process's name can not steer the terminal", t => {
  const target = { ...document.target, comm: '\u001B[2Jevil\n\u0007' }
  const text = formatReport({ ...document, target }, { columns: 80, color: false })
  t.true(text.startsWith('evil, pid 1234'))
  t.false(text.includes('\u001B'))
  const unknown = { ...document.target, comm: null, pid: null }
  t.true(
    formatReport({ ...document, target: unknown }, { columns: 80, color: false }).startsWith(
      'unknown service, tcp',
    ),
  )
})

test('requests of chosen clients are named by whose they are, and by the address they go to', t => {
  const name = (comm: string | null, pid: number | null, host?: string): string => {
    const named = { role: 'client', port: 5432, protocol: 'tcp', comm, pid, ...(host && { host }) } as const
    const text = formatReport({ ...document, target: named }, { columns: 200, color: false })
    return text.slice(0, text.indexOf(':', text.indexOf('port')))
  }
  t.is(name('nginx', 12), 'requests of nginx, pid 12, sent to tcp port 5432')
  t.is(name('nginx', null), 'requests of nginx sent to tcp port 5432')
  t.is(name(null, null, '192.0.2.1'), 'requests sent to tcp port 5432 of 192.0.2.1')
})

test('requests that clients send are named by where they go, and explained as a client has them', t => {
  const target = { role: 'client', port: 5432, protocol: 'tcp', comm: null, pid: null } as const
  const stages = { peer: 90, recv: 10 }
  const tail = document.tail.map(row => ({ ...row, mean_us: 100, stages }))
  const named = Object.entries(stages).map(([name, us]) => {
    const times = { requests: document.requests, mean_us: us, p50_us: us, p99_us: us }
    return { name: name as keyof typeof stages, ...times }
  })
  const total = { ...document.total, mean_us: 100 }
  const text = formatReport(
    { ...document, target, total, tail, stages: named },
    { columns: 100, color: false },
  )
  t.true(text.startsWith('requests sent to tcp port 5432: '))
  t.regex(text, /90 % of the slowest 1 % .* is peer: the other side had the request/)
})

test('a budget tells what it led to, and when it was not kept', t => {
  const cost = { ...document.cost, budget_percent: 1, machine_percent: 0.52 }
  const whole = formatReport({ ...document, cost }, { columns: 200, color: false })
  t.true(
    whole.includes('Budget 1 % of the CPUs, of which taut took 0.52 %: all requests were followed in depth.'),
  )

  const formatOver = (depth: typeof document.depth): string =>
    formatReport(
      { ...document, depth, cost: { ...cost, machine_percent: 2 } },
      { columns: 200, color: false },
    ).replaceAll(/\s+/g, ' ')
  const quarter = formatOver({ requests: Math.round(document.requests / 4), share: 0.25 })
  t.true(quarter.includes('taut took 2 %: 25 % of the requests were followed in depth'))
  t.regex(quarter, /Over the budget\./)
  t.regex(formatOver({ requests: 0, share: 0 }), /Over the budget: .* is not in its power\./)
})
