import { existsSync } from 'node:fs'
import test from 'ava'
import {
  BpfError,
  BpfObject,
  canAttachTracepoint,
  hasKernelBtf,
  libbpfVersion,
  possibleCpus,
  probeAttach,
  probeFeatures,
  probeHelper,
  probeIter,
  probeMapType,
  probeProgramType,
} from '../lib/index.js'
import { kernelTest } from './helpers/kernel.js'
import { compileObject } from './helpers/objects.js'

test('what needs no trying is told', t => {
  t.regex(libbpfVersion, /^v\d+\.\d+/)
  t.true(possibleCpus() >= 1)
  t.is(hasKernelBtf(), existsSync('/sys/kernel/btf/vmlinux'))
})

test('unknown names are answered with the known ones', t => {
  t.throws(() => probeProgramType('nope'), { instanceOf: RangeError, message: /type "nope".*xdp/ })
  t.throws(() => probeMapType('nope'), { instanceOf: RangeError, message: /type "nope".*ringbuf/ })
  t.throws(() => probeHelper('xdp', 'nope'), { instanceOf: RangeError, message: /helper "nope"/ })
  t.throws(() => probeHelper('xdp', 5 as never), { instanceOf: TypeError, message: /helper/ })
  t.throws(() => probeAttach('sched_switch', 'kprobe' as never), { instanceOf: TypeError, message: /kind/ })
  t.throws(() => probeIter(5 as never), { instanceOf: TypeError, message: /^target/ })
  t.throws(() => probeAttach(5 as never), { instanceOf: TypeError, message: /^tracepoint/ })
})

kernelTest('types of programs and maps are tried', t => {
  t.true(probeProgramType('xdp'))
  t.true(probeProgramType('tracing'))
  t.false(probeProgramType('unspec'))
  t.true(probeMapType('hash'))
  const { kernelBtf, programTypes, mapTypes } = probeFeatures()
  t.is(kernelBtf, hasKernelBtf())
  t.true(programTypes.tracing)
  t.true(programTypes.socket_filter)
  t.true(mapTypes.ringbuf)
  t.false(mapTypes.unspec)
})

kernelTest('helpers are tried for a type of program', t => {
  t.true(probeHelper('xdp', 'bpf_ktime_get_ns'))
  t.true(probeHelper('xdp', 'redirect_map'))
  t.false(probeHelper('xdp', 'sk_storage_get'))
  t.true(probeHelper('sched_cls', 'sk_storage_get'))
  t.true(probeHelper('tracing', 'sk_storage_get'))
  t.false(probeHelper('tracing', 'redirect_map'))
})

kernelTest('tracepoints are tried by attaching', t => {
  t.true(canAttachTracepoint('sched_switch'))
  t.true(canAttachTracepoint('sched_switch', 'raw_tp'))
  t.deepEqual(probeAttach('sched_switch'), { attachable: true })
  for (const kind of ['tp_btf', 'raw_tp'] as const) {
    t.deepEqual(probeAttach('no_such_tracepoint', kind), {
      attachable: false,
      code: 'ENOENT',
      reason: 'the kernel has no tracepoint no_such_tracepoint',
    })
  }
})

kernelTest('iterators are tried by loading, and where they need no map by attaching', t => {
  t.deepEqual(probeIter('task'), { attachable: true })
  // Some kernels refuse those over maps: as the probe says, so it is.
  const { attachable, code } = probeIter('bpf_map_elem')
  using object = BpfObject.open(compileObject('elements'))
  const load = () => object.load()
  if (attachable) t.notThrows(load)
  else t.is<string | undefined, string | undefined>(t.throws(load, { instanceOf: BpfError })?.code, code)
  t.deepEqual(probeIter('bpf_sk_storage_map'), probeIter('bpf_map_elem'))
  t.deepEqual(probeIter('no_such_thing'), {
    attachable: false,
    code: 'ENOENT',
    reason: 'the kernel has no iterator over no_such_thing',
  })
})
