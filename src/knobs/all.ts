import { appAffinity } from './app-affinity.js'
import { busyPoll, busyRead } from './busy-poll.js'
import { coalesce } from './coalesce.js'
import { epp } from './epp.js'
import { governor } from './governor.js'
import { gro } from './gro.js'
import { idleLatency } from './idle-latency.js'
import { irqAffinity } from './irq-affinity.js'
import { numaBalancing, timerMigration } from './kernel-switches.js'
import type { Knob } from './knob.js'
import { minFreq } from './min-freq.js'
import type { KnobName } from './names.js'
import { groFlushTimeout, napiDeferHardIrqs } from './napi-deferral.js'
import { netBudget } from './net-budget.js'
import { rfs } from './rfs.js'
import { rps } from './rps.js'
import { thp } from './thp.js'
import { threadedNapi } from './threaded-napi.js'
import { xps } from './xps.js'

/** All knobs, by name. */
export const KNOBS: Record<KnobName, Knob> = {
  'irq.affinity': irqAffinity,
  'net.rps': rps,
  'net.rfs': rfs,
  'net.xps': xps,
  'net.busy_poll': busyPoll,
  'net.busy_read': busyRead,
  'net.napi_defer_hard_irqs': napiDeferHardIrqs,
  'net.gro_flush_timeout': groFlushTimeout,
  'net.threaded_napi': threadedNapi,
  'nic.coalesce': coalesce,
  'nic.offload.gro': gro,
  'net.budget': netBudget,
  'cpu.governor': governor,
  'cpu.epp': epp,
  'cpu.min_freq': minFreq,
  'cpu.idle_latency': idleLatency,
  'cpu.app_affinity': appAffinity,
  'vm.thp': thp,
  'kernel.numa_balancing': numaBalancing,
  'kernel.timer_migration': timerMigration,
}
