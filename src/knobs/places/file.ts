import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs'
import * as v from 'valibot'
import { parseCpuList } from '../../system/cpu-list.js'

/** How a file of the kernel's shows its value: as it is, as a mask or a list of CPUs, or as a choice, `a [b] c`. */
const FORMS = ['text', 'mask', 'list', 'choice'] as const

const NIC = '/sys/class/net/(?!\\.{1,2}/)[^/\\s]{1,15}'
const CPU = '/sys/devices/system/cpu'

/** All files that taut ever writes a setting to: whatever a journal says, no other is touched. */
const WRITABLE = [
  `${NIC}/queues/rx-\\d{1,4}/(?:rps_cpus|rps_flow_cnt)`,
  `${NIC}/queues/tx-\\d{1,4}/xps_cpus`,
  `${NIC}/(?:napi_defer_hard_irqs|gro_flush_timeout|threaded)`,
  '/proc/irq/\\d{1,6}/smp_affinity_list',
  '/proc/sys/net/core/(?:busy_poll|busy_read|netdev_budget|netdev_budget_usecs|rps_sock_flow_entries)',
  '/proc/sys/kernel/(?:numa_balancing|timer_migration)',
  `${CPU}/cpufreq/policy\\d{1,4}/(?:scaling_governor|energy_performance_preference|scaling_min_freq)`,
  `${CPU}/cpu\\d{1,4}/power/pm_qos_resume_latency_us`,
  '/sys/kernel/mm/transparent_hugepage/enabled',
].map(pattern => new RegExp(`^${pattern}$`))

export const filePlace = v.strictObject({
  kind: v.literal('file'),
  path: v.pipe(
    v.string(),
    v.check(path => WRITABLE.some(pattern => pattern.test(path)), 'no file that taut sets'),
  ),
  form: v.picklist(FORMS),
})

type FilePlace = v.InferOutput<typeof filePlace>

/** What reading says where the kernel, the driver or the device lacks the setting. */
const ABSENT = ['ENOENT', 'ENODEV', 'EINVAL', 'EOPNOTSUPP', 'ENXIO', 'ENOTDIR', 'EBUSY']

/** Gives the text of the file without its end of line, of a choice the chosen word; null where there is none now. */
export const readFilePlace = ({ path, form }: FilePlace): string | null => {
  try {
    const text = readFileSync(path, 'latin1').trim()
    return form === 'choice' ? (/\[([^\]]+)\]/.exec(text)?.[1] ?? null) : text
  } catch (error) {
    if (error instanceof Error && 'code' in error && ABSENT.includes(String(error.code))) return null
    throw error
  }
}

/** Writes in one system call, as the kernel's files want it. */
export const writeFilePlace = ({ path }: FilePlace, value: string): void => {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW)
  try {
    writeSync(fd, value)
  } finally {
    closeSync(fd)
  }
}

export const isSameText = ({ form }: FilePlace, a: string, b: string): boolean =>
  normalise(form, a) === normalise(form, b)

const normalise = (form: FilePlace['form'], text: string): string => {
  if (form === 'mask')
    return text
      .replaceAll(',', '')
      .replace(/^0+(?=.)/, '')
      .toLowerCase()
  if (form === 'list') return expandList(text)
  return text
}

/** A text that is no list stands for itself. */
const expandList = (text: string): string => {
  try {
    return parseCpuList(text).join(',')
  } catch {
    return text
  }
}
