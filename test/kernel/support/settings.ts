import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Every file that taut sets, found without its code. */
const FILES = [
  '/sys/class/net/*/queues/*/{rps_cpus,rps_flow_cnt,xps_cpus}',
  '/sys/class/net/*/{napi_defer_hard_irqs,gro_flush_timeout,threaded}',
  '/proc/irq/*/smp_affinity_list',
  '/proc/sys/net/core/{busy_poll,busy_read,netdev_budget,netdev_budget_usecs,rps_sock_flow_entries}',
  '/proc/sys/kernel/{numa_balancing,timer_migration}',
  '/sys/devices/system/cpu/cpufreq/policy*/{scaling_governor,energy_performance_preference,scaling_min_freq}',
  '/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us',
  '/sys/kernel/mm/transparent_hugepage/enabled',
]

/**
 * Runs in the network namespace to look at: prints every setting that taut can touch, as the kernel shows it, with the
 * CPUs of the threads of the processes whose ids are its arguments, and those of NAPI's threads that may not go anywhere.
 */
const SCRIPT = `
grep -aH '' ${FILES.join(' ')} 2>&1
od -An -tx1 /dev/cpu_dma_latency 2>&1
for nic in /sys/class/net/*; do
  ethtool -c "\${nic##*/}" 2>&1
  ethtool -k "\${nic##*/}" 2>&1 | grep receive-offload
done
for pid in $(pgrep '^napi/'); do
  grep -hx "Cpus_allowed_list:.*" /proc/$pid/status | grep -vxF "$(grep Cpus_allowed_list /proc/1/status)"
done
for pid; do grep -H Cpus_allowed_list /proc/$pid/task/*/status; done
`

/** Gives all settings that taut can touch, as text: the same text, when all are as they were. */
export const takeSettings = async (netns: string, pids: readonly number[]): Promise<string> => {
  const { stdout } = await run('ip', [
    'netns',
    'exec',
    netns,
    'bash',
    '-c',
    SCRIPT,
    'bash',
    ...pids.map(String),
  ])
  return stdout
}
