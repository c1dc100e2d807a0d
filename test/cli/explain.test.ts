import { constants } from 'node:os'
import test from 'ava'
import { BpfError } from 'libbpf-ts'
import { checkLoading } from '../../src/cli/doctor.js'
import { explain } from '../../src/cli/explain.js'

/** What libbpf says of a program that the verifier refuses. */
const MESSAGES = `libbpf: prog 'unchecked': BPF program load failed: Permission denied
libbpf: prog 'unchecked': -- BEGIN PROG LOAD LOG --
reg type unsupported for arg#0 function unchecked#20
0: R1=ctx() R10=fp0
; int unchecked(void *context) @ refused.bpf.c:22
0: (b7) r1 = 0                        ; R1_w=0
8: (61) r0 = *(u32 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 8 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'unchecked': failed to load: -13
`

const fail = (code: keyof typeof constants.errno, operation: string, messages = ''): BpfError =>
  new BpfError({ errno: constants.errno[code], operation, subject: 'taut', messages })

const refused = fail('EACCES', 'load', MESSAGES)

test('a program that the verifier refuses: exit 3, with the end of its log', t => {
  const { exitCode, message, details } = explain(refused)
  t.is(exitCode, 3)
  t.regex(message, /^this kernel refuses the probes: load taut, program unchecked: .*EACCES/)
  t.notRegex(message, /sudo/)
  t.is(details.length, 5)
  t.is(details[3], "R0 invalid mem access 'map_value_or_null'")
})

test('doctor tells why the verifier refuses a program', t => {
  const { name, ok, detail, remedy } = checkLoading({ purpose: 'udp', error: refused })
  t.deepEqual([name, ok], ['load udp', false])
  t.regex(detail, /program unchecked.*R0 invalid mem access 'map_value_or_null'/)
  t.regex(remedy ?? '', /another kernel/)
})

for (const [code, operation, messages, exitCode] of [
  ['EPERM', 'load', '', 4],
  ['EPERM', 'load', MESSAGES, 4],
  ['EPERM', 'attach', '', 4],
  ['EACCES', 'perf_event_open', '', 4],
  ['EACCES', 'load', '', 4],
  ['ENOMEM', 'load', MESSAGES, 1],
  ['EMFILE', 'load', '', 1],
  ['ENFILE', 'open', '', 1],
  ['ENOSYS', 'load', '', 3],
  ['EINVAL', 'load', MESSAGES, 3],
  ['ENOENT', 'attach', '', 3],
] as const) {
  test(`${code} of ${operation}${messages === '' ? '' : ' of a program'}: exit ${exitCode}`, t => {
    t.is(explain(fail(code, operation, messages)).exitCode, exitCode)
  })
}

test('other errors: exit 1 with their message', t => {
  t.deepEqual(explain(new Error('no luck')), { exitCode: 1, message: 'no luck', details: [] })
  t.deepEqual(explain('no luck'), { exitCode: 1, message: 'no luck', details: [] })
})
