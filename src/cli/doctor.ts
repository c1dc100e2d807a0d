import { existsSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { BpfError, hasKernelBtf, probeAttach } from 'libbpf-ts'
import { findMismatch } from '../probes/architecture.js'
import { BTF_SOURCES } from '../probes/kernel-types.js'
import { type Loading, type Purpose, tryLoading } from '../probes/loading.js'
import { probeOverheadSupport } from '../probes/overheads.js'
import { classifyRefusal, type Refusal } from '../probes/refusal.js'
import { findMissing, probeSupport, type Support } from '../probes/support.js'
import { listWaitSyscalls } from '../probes/syscalls.js'
import { describeHost } from '../system/host.js'
import { printable } from '../text/printable.js'
import { VERSION } from '../version.js'
import { addBtfOption, type BtfArguments, pickKernelTypes } from './btf-option.js'
import { type Check, formatDoctor, remedyOf } from './doctor-report.js'
import { checkTools } from './doctor-tools.js'
import { explain, listLastLines } from './explain.js'
import { EXIT } from './failure.js'
import { listMissingCapabilities } from './permission.js'
import { terminalColumns } from './terminal.js'

/** Adds `taut doctor`: what this kernel and machine can and can't do, and how to get the rest. */
export const addDoctor = (program: Command): void => {
  addBtfOption(program.command('doctor'))
    .description("what this kernel and machine can and can't do, and how to get the rest")
    .option('--json', 'print one JSON document')
    .action(doctor)
}

const doctor = (options: BtfArguments & { json?: boolean }): void => {
  const { json, btf } = options
  const host = describeHost()
  const checks = [
    checkPermission(),
    checkBpf(),
    checkBtf(btf),
    checkJit(),
    checkArchitecture(),
    ...checkTools(),
  ]
  // Without BTF in the kernel a file has to stand in for it: with that, these are the probes.
  const kind = btf === undefined && hasKernelBtf() ? 'tp_btf' : 'raw_tp'
  const canProbe = isUnhindered(checks.filter(({ name }) => name !== 'btf'))
  const canLoad = isUnhindered(checks)
  const support = canProbe ? probeSupport(kind) : null
  const loadings = support === null || !canLoad ? [] : tryLoading(pickKernelTypes(options), support)
  const loads = loadings.map(checkLoading)
  const overheads = canProbe ? probeOverheadSupport(kind) : []
  if (json) {
    process.stdout.write(
      `${JSON.stringify({
        schema: 1,
        taut: VERSION,
        host,
        kernel: host.kernel,
        checks,
        loads: canLoad ? loads : null,
        probes: support?.map(describeProbe) ?? null,
        overhead_probes: canProbe ? overheads.map(describeProbe) : null,
      })}\n`,
    )
  } else {
    process.stdout.write(
      formatDoctor({ host, checks, loads, support, overheads }, terminalColumns(process.stdout)),
    )
  }
  process.exitCode = chooseExitCode(checks, support, loadings)
}

/** Without the JIT it is slower, and works; and what was built runs without the compilers. */
const DISPENSABLE: readonly string[] = ['jit', 'clang', 'gcc']

const isUnhindered = (checks: readonly Check[]): boolean =>
  checks.every(({ ok, name }) => ok || DISPENSABLE.includes(name))

const chooseExitCode = (
  checks: readonly Check[],
  support: readonly Support[] | null,
  loadings: readonly Loading[],
): number => {
  if (!checks[0]?.ok) return EXIT.forbidden
  const isMissing = support === null || findMissing(support, 'tcp') !== null
  if (isMissing || !isUnhindered(checks)) return EXIT.unsupported
  const error = loadings.find(({ purpose }) => purpose === 'tcp')?.error ?? null
  return error === null ? EXIT.done : explain(error).exitCode
}

/** What the probes are for, and what is to be had without them. */
const PURPOSES: Readonly<Record<Purpose, string>> = {
  tcp: 'of TCP services are loaded',
  udp: 'of UDP services are loaded',
  clients: 'of requests that clients here send are loaded',
  overheads: 'of the socket API are loaded',
  traffic: 'that count traffic, to choose a service by, are loaded',
}

const REMEDIES: Readonly<Record<Refusal, string>> = {
  forbidden: 'root, and no container or kernel lockdown that forbids it',
  exhausted: 'more memory free, or more open files (ulimit -n)',
  unsupported: 'another kernel; and please report this one, with these lines',
}

/** Tells of the probes themselves, made for one purpose, whether the kernel takes them. */
export const checkLoading = ({ purpose, error }: Loading): Check => {
  const name = `load ${purpose}`
  if (error === null) return { name, ok: true, detail: `the probes ${PURPOSES[purpose]}`, remedy: null }
  const isRefusal = error instanceof BpfError
  const detail = [error.message, ...(isRefusal ? listLastLines(error) : [])].map(printable).join('; ')
  return { name, ok: false, detail, remedy: REMEDIES[isRefusal ? classifyRefusal(error) : 'unsupported'] }
}

const checkPermission = (): Check => {
  const missing = listMissingCapabilities()
  const ok = missing.length === 0
  return {
    name: 'permission',
    ok,
    detail: ok ? 'may load probes and look into other processes' : `lacks ${missing.join(', ')}`,
    remedy: ok ? null : 'run as root: sudo taut doctor',
  }
}

const checkBpf = (): Check => {
  const name = 'bpf'
  // Listing what is loaded would take CAP_SYS_ADMIN, which tracing does not.
  const { attachable, code, reason } = probeAttach('sched_switch', 'raw_tp')
  if (attachable) return { name, ok: true, detail: 'programs load, and attach to tracepoints', remedy: null }
  const remedy =
    code === 'EPERM' || code === 'EACCES'
      ? REMEDIES.forbidden
      : 'a kernel with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS'
  return { name, ok: false, detail: reason ?? 'no program attaches', remedy }
}

const checkBtf = (file?: string): Check => {
  const name = 'btf'
  if (file === undefined) {
    const ok = hasKernelBtf()
    return {
      name,
      ok,
      detail: ok ? '/sys/kernel/btf/vmlinux' : '/sys/kernel/btf/vmlinux is not there',
      remedy: ok ? null : `a kernel built with CONFIG_DEBUG_INFO_BTF, or ${BTF_SOURCES}`,
    }
  }
  try {
    pickKernelTypes({ btf: file })
    const detail = `${file}; the probes do without BTF in the kernel, the service's threads come from /proc`
    return { name, ok: true, detail, remedy: null }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { name, ok: false, detail, remedy: BTF_SOURCES }
  }
}

const JIT = '/proc/sys/net/core/bpf_jit_enable'

const checkJit = (): Check => {
  // The setting is shown in the first network namespace only.
  const ok = !existsSync(JIT) || readFileSync(JIT, 'utf8').trim() !== '0'
  return {
    name: 'jit',
    ok,
    detail: ok
      ? 'nothing keeps the probes from running as machine code'
      : 'probes would be interpreted, many times slower',
    remedy: ok ? null : 'sysctl net.core.bpf_jit_enable=1',
  }
}

const checkArchitecture = (): Check => {
  const mismatch = findMismatch()
  const isKnown = listWaitSyscalls(process.arch) !== null
  const ok = isKnown && mismatch === null
  return {
    name: 'architecture',
    ok,
    detail: ok ? process.arch : (mismatch ?? `the system calls of ${process.arch} are not known`),
    remedy: ok ? null : 'x86-64, arm64 or 32-bit ARM',
  }
}

const describeProbe = ({ probe, reason }: Support) => ({
  program: probe.program,
  point: probe.point,
  ok: reason === null,
  required: probe.required,
  buys: probe.buys,
  stages: probe.stages,
  reason,
  remedy: reason === null ? null : remedyOf(probe),
})
