/** The names of all knobs, as profiles and commands use them. */
export const KNOB_NAMES = [
  'irq.affinity',
  'net.rps',
  'net.rfs',
  'net.xps',
  'net.busy_poll',
  'net.busy_read',
  'net.napi_defer_hard_irqs',
  'net.gro_flush_timeout',
  'net.threaded_napi',
  'nic.coalesce',
  'nic.offload.gro',
  'net.budget',
  'cpu.governor',
  'cpu.epp',
  'cpu.min_freq',
  'cpu.idle_latency',
  'cpu.app_affinity',
  'vm.thp',
  'kernel.numa_balancing',
  'kernel.timer_migration',
] as const

export type KnobName = (typeof KNOB_NAMES)[number]
