import test from 'ava'
import { type Findings, formatDoctor } from '../../src/cli/doctor-report.js'
import { OVERHEAD_PROBES } from '../../src/probes/overheads.js'
import { PROBES } from '../../src/probes/support.js'
import { describeHost } from '../../src/system/host.js'
import { displayWidth } from '../../src/text/width.js'

const ABSENT = new Map([
  ['payload_is_ready', 'it has no tracepoint sk_data_ready'],
  ['packet_is_enqueued', 'it has no tracepoint qdisc_enqueue'],
  ['packet_is_sent', 'it has no tracepoint net_dev_start_xmit'],
])

const findings: Findings = {
  host: describeHost(),
  checks: [
    { name: 'permission', ok: true, detail: 'may load probes and look into other processes', remedy: null },
    {
      name: 'btf',
      ok: false,
      detail: '/sys/kernel/btf/vmlinux is not there',
      remedy: 'a kernel built with CONFIG_DEBUG_INFO_BTF',
    },
  ],
  loads: [
    { name: 'load tcp', ok: true, detail: 'the probes of TCP services are loaded', remedy: null },
    { name: 'load udp', ok: false, detail: 'load taut: permission denied', remedy: 'another kernel' },
  ],
  support: PROBES.map(probe => ({
    probe,
    reason: ABSENT.get(probe.program) ?? null,
  })),
  overheads: OVERHEAD_PROBES.map(probe => ({
    probe: { ...probe, required: false, stages: [] },
    reason: probe.program === 'napi_poll' ? 'it has no tracepoint napi_poll' : null,
  })),
}

test('the findings fit every width down to 40, and say the same on all of them', t => {
  const words = formatDoctor(findings, 1000).split(/\s+/)
  for (let columns = 1; columns <= 200; columns++) {
    const text = formatDoctor(findings, columns)
    for (const line of text.split('\n')) t.true(displayWidth(line) <= Math.max(40, columns), line)
    t.deepEqual(text.split(/\s+/), words)
  }
})

for (const columns of [40, 80]) {
  test(`every check and probe begins a line with yes or NO on ${columns} columns`, t => {
    const text = formatDoctor(findings, columns)
    t.regex(text, /^yes {2}permission/m)
    t.regex(text, /^NO {3}btf/m)
    t.regex(text, /^yes {2}load tcp/m)
    t.regex(text, /^NO {3}load udp/m)
    for (const { program, point } of PROBES) {
      t.regex(text, new RegExp(`^${ABSENT.has(program) ? 'NO ' : 'yes'} {2}${point}`, 'm'))
    }
    for (const { program, point } of OVERHEAD_PROBES) {
      t.regex(text, new RegExp(`^${program === 'napi_poll' ? 'NO ' : 'yes'} {2}${point}`, 'm'))
    }
  })
}

test('what is missing comes with what it costs and what to do', t => {
  const text = formatDoctor(findings, 200)
  t.regex(text, /it has no tracepoint net_dev_start_xmit; taut can not measure without it\n/)
  t.regex(text, /it has no tracepoint sk_data_ready; tcp\/tcp_probe stands in for it\n/)
  t.regex(text, /it has no tracepoint qdisc_enqueue; without it: qdisc\n.*→ Linux 5\.15 or newer/)
  t.regex(text, /it has no tracepoint napi_poll; without it: less is told apart\n/)
  t.regex(text, /→ a kernel built with CONFIG_DEBUG_INFO_BTF\n/)
})

test('the probes that could not be tried are not shown as if they had been', t => {
  const text = formatDoctor({ ...findings, support: null, overheads: [] }, 80)
  t.regex(text, /The probes can not be tried before that\.\n$/)
  t.false(text.includes('sched_switch'))
})
