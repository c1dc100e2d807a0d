import { NOT_HELD } from '../knobs/places/latency.js'
import type { Place } from '../knobs/places/place.js'

/** Gives the command by which a person would do the same in a shell. */
export const describeCommand = (place: Place, to: string): string => {
  switch (place.kind) {
    case 'file':
      return `echo ${quote(to)} > ${quote(place.path)}`
    case 'affinity':
      return `taskset -apc ${quote(to)} ${place.pid}`
    case 'coalesce':
      return `ethtool -C ${quote(place.nic)} ${place.parameter} ${quote(to)}`
    case 'offload':
      return `ethtool -K ${quote(place.nic)} ${place.parameter} ${quote(to)}`
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

const quote = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
