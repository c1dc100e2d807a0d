import { NOT_HELD } from '../knobs/places/latency.js'
import type { Place } from '../knobs/places/place.js'
import { quoteShell } from '../text/shell.js'

/** Gives the command by which a person would do the same in a shell. */
export const describeCommand = (place: Place, to: string): string => {
  switch (place.kind) {
    case 'file':
      return `echo ${quoteShell(to)} > ${quoteShell(place.path)}`
    case 'affinity':
      return `taskset -apc ${quoteShell(to)} ${place.pid}`
    case 'coalesce':
      return `ethtool -C ${quoteShell(place.nic)} ${place.parameter} ${quoteShell(to)}`
    case 'offload':
      return `ethtool -K ${quoteShell(place.nic)} ${place.parameter} ${quoteShell(to)}`
    case 'irqbalance':
      return to === 'banned'
        ? `# have irqbalance leave interrupt ${place.irq} alone: --banirq=${place.irq}, or irqbalance-ui`
        : `# have irqbalance balance interrupt ${place.irq} again`
    case 'latency':
      return to === NOT_HELD
        ? 'exec 3>&-'
        : `exec 3>/dev/cpu_dma_latency; printf %s ${hex(to)} >&3  # in force while it is open`
  }
}

const hex = (us: string): string => `0x${Number(us).toString(16).padStart(8, '0')}`
