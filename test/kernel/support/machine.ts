import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { rootPath } from './fixtures.js'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { createNetns } from './netns.js'
import { type Ending, startProcess } from './processes.js'
import { TAUT } from './taut.js'

/** An interrupt of the machine's card: its name, the CPUs that it may go to, and those that it goes to, if that is told. */
export type Irq = { irq: number; name: string; wanted: string; effective: string }

/** A machine that taut is to see instead of this one; all of it may be left out. */
export type MachineOptions = {
  /** CPUs that are online. */
  cpus?: string
  model?: string
  irqs?: readonly Irq[]
  /** Files of the policies of frequencies, the same for each; none without a driver for them. */
  policies?: readonly { cpu: number; files: Record<string, string> }[]
  /** What `ethtool -c` prints of the card. */
  coalescing?: string
  /** Profiles beside those of taut's own; by the names of their files. */
  profiles?: Record<string, string>
  /** A script of bash that starts what runs there; it is over when that is ready. */
  services?: string
  hasBtf?: boolean
}

/** A machine on which taut runs: its files are a folder's. What is written to one has to be as long as what it had, or longer. */
export type Machine = { folder: string; taut: (...args: string[]) => Promise<Ending> }

const NIC = 'eth0'

/** What `ethtool -c` prints of a card that adapts, with so long and so many packets to wait for. */
export const printCoalescing = (usecs: number, frames: number | 'n/a'): string =>
  `Coalesce parameters for ${NIC}:\nAdaptive RX: on  TX: n/a\nrx-usecs: ${usecs}\nrx-frames: ${frames}\n`

/** Makes a machine of four CPUs with one card, eth0, that has no address. Its processes are its own, and end with each command. */
export const createMachine = async (t: Context, options: MachineOptions = {}): Promise<Machine> => {
  const netns = await createNetns(t)
  const folder = await createFolder(t)
  for (const [path, text] of Object.entries(listFiles(options))) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  await chmod(join(folder, 'bin/ethtool'), 0o755)
  await mkdir(join(folder, 'empty'))
  await symlink(join(folder, 'device'), join(folder, `class/net/${NIC}/device`))
  const mounts = [
    ['class', '/sys/class'],
    ['cpu', '/sys/devices/system/cpu'],
    ['irq', '/proc/irq'],
    ['interrupts', '/proc/interrupts'],
    ['profiles', rootPath('tuning-profiles')],
    ...(options.hasBtf === false ? [['empty', '/sys/kernel/btf']] : []),
  ]
  const script = `set -e
    ip link show ${NIC} &>/dev/null || ip link add ${NIC} type veth peer far
    cp -n ${rootPath('tuning-profiles')}/* ${folder}/profiles
    ${mounts.map(([source, target]) => `mount --bind ${folder}/${source} ${target}`).join('\n')}
    ${options.services ?? ''}
    exit=0
    "$@" || exit=$?
    exit $exit`
  const path = `${join(folder, 'bin')}:${process.env.PATH}`
  const env = { TAUT_STATE: join(folder, 'state'), MACHINE: folder, PATH: path }
  const unshare = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', 'bash', '-c', script, 'bash']
  const taut = async (...args: string[]): Promise<Ending> => {
    const command = [...unshare, process.execPath, TAUT, ...args]
    return (await startProcess(t, 'unshare', command, { netns, env })).ended
  }
  return { folder, taut }
}

/** Of a card that takes all that it is told, and goes on as it is; or of one that has no coalescing. */
const ETHTOOL = `#!/bin/sh
[ -s "$MACHINE/coalescing" ] && case $1 in
  -c) exec cat "$MACHINE/coalescing" ;;
  -C)
    # Where it takes them: one parameter a call, and each state that it passes through is noted.
    [ -e "$MACHINE/takes" ] || exit 0
    case $3 in
      adaptive-rx) sed -i "s/^Adaptive RX: [a-z]*/Adaptive RX: $4/" "$MACHINE/coalescing" ;;
      *) sed -i "s/^$3: .*/$3: $4/" "$MACHINE/coalescing" ;;
    esac
    sed -n 's/^Adaptive RX: \\([a-z]*\\).*/\\1/; s/^[a-z-]*: //; 2,4p' "$MACHINE/coalescing" | {
      read -r adaptive && read -r usecs && read -r frames && echo "$usecs,$frames $adaptive" >>"$MACHINE/takes"
    }
    exit ;;
esac
echo "netlink error: Operation not supported" >&2
exit 1
`

const listFiles = ({
  cpus = '0-3',
  model = 'A board',
  irqs = [],
  policies = [],
  coalescing = '',
  profiles = {},
}: MachineOptions): Record<string, string> => {
  const columns = [0, 1, 2, 3].map(cpu => `CPU${cpu}`.padStart(11)).join('')
  const counts = '          0'.repeat(4)
  return {
    'device/uevent': '',
    'class/dmi/id/product_name': model,
    'class/net/lo/flags': '0x9\n',
    'class/net/far/flags': '0x1002\n',
    'class/net/far/operstate': 'down\n',
    [`class/net/${NIC}/flags`]: '0x1003\n',
    [`class/net/${NIC}/operstate`]: 'up\n',
    [`class/net/${NIC}/threaded`]: '0\n',
    [`class/net/${NIC}/queues/rx-0/rps_cpus`]: '0\n',
    [`class/net/${NIC}/queues/rx-0/rps_flow_cnt`]: '0\n',
    'cpu/online': `${cpus}\n`,
    interrupts: `     ${columns}\n${irqs.map(({ irq, name }) => `${String(irq).padStart(4)}:${counts}  GIC  ${irq} Level     ${name}\n`).join('')}`,
    'irq/default_smp_affinity': 'f\n',
    ...Object.fromEntries(
      irqs.flatMap(({ irq, wanted, effective }) => [
        [`irq/${irq}/smp_affinity_list`, `${wanted}\n`],
        [`irq/${irq}/effective_affinity_list`, `${effective}\n`],
      ]),
    ),
    ...Object.fromEntries(
      policies.flatMap(({ cpu, files }) =>
        Object.entries({ affected_cpus: String(cpu), ...files }).map(([name, text]) => [
          `cpu/cpufreq/policy${cpu}/${name}`,
          `${text}\n`,
        ]),
      ),
    ),
    'bin/ethtool': ETHTOOL,
    coalescing,
    'profiles/.keep': '',
    ...Object.fromEntries(Object.entries(profiles).map(([name, text]) => [`profiles/${name}`, text])),
  }
}
