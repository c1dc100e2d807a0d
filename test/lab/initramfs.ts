import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** A kernel out of its package: `folder` holds its boot and lib/modules. */
export type Kernel = { folder: string; release: string; image: string }

/** What it takes to reach the host's files, and the network cards that QEMU can be. */
const MODULES = ['virtio_pci', '9p', '9pnet_virtio', 'overlay', 'virtio_net', 'e1000e', 'bridge']
/** What it takes to set frequencies, where an ACPI table has them. */
const FREQUENCY_MODULES = ['acpi_cpufreq', 'cpufreq_powersave', 'cpufreq_ondemand']

/** Gives the kernel that `install.sh --for-lab` unpacked into a folder, null when there is none. */
export const findKernel = (folder: string): Kernel | null => {
  try {
    const image = readdirSync(join(folder, 'boot')).find(name => name.startsWith('vmlinuz-'))
    if (image === undefined) return null
    return { folder, release: image.slice('vmlinuz-'.length), image: join(folder, 'boot', image) }
  } catch {
    return null
  }
}

/**
 * The first program of the machine: lays a writable file system over the host's, read-only one, and goes on in there
 * with the guest's script.
 */
const listInit = (modules: readonly string[]): string => `#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /host /rw /new
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
${modules.map(module => `insmod /modules/${module} 2>/dev/null`).join('\n')}
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /host
mount -t tmpfs tmpfs /rw
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work overlay /new
mkdir -p /new/run
cp /guest.sh /new/run/guest.sh
for place in proc sys dev; do mount --move /$place /new/$place; done
exec switch_root /new /bin/bash /run/guest.sh
`

/** Builds the initial file system of a machine that runs a script of bash, in a folder of its own; gives its path. */
export const buildInitramfs = (folder: string, kernel: Kernel, script: string): string => {
  const root = join(folder, 'root')
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'modules'))
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
  const modules = listModules(kernel)
  for (const module of modules) copyFileSync(module, join(root, 'modules', basename(module)))
  writeFileSync(join(root, 'init'), listInit(modules.map(module => basename(module))), { mode: 0o755 })
  writeFileSync(join(root, 'guest.sh'), script)
  const names = execFileSync('find', ['.'], { cwd: root })
  const archive = execFileSync('/bin/busybox', ['cpio', '-o', '-H', 'newc'], {
    cwd: root,
    input: names,
    maxBuffer: 1 << 28,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const path = join(folder, 'initramfs')
  writeFileSync(path, archive)
  return path
}

/** The modules' files with all that they depend on, in the order in which to load them. */
const listModules = ({ folder, release }: Kernel): string[] => {
  const dependencies = new Map(
    readFileSync(join(folder, 'lib/modules', release, 'modules.dep'), 'utf8')
      .split('\n')
      .map(line => line.split(/[: ]+/).filter(word => word !== ''))
      .map(([path = '', ...needed]) => [path, needed] as const),
  )
  const named = new Map(
    [...dependencies.keys()].map(path => [
      basename(path)
        .replace(/\.ko.*$/, '')
        .replaceAll('-', '_'),
      path,
    ]),
  )
  const ordered = new Set<string>()
  const add = (path: string): void => {
    for (const needed of dependencies.get(path) ?? []) add(needed)
    ordered.add(path)
  }
  // What is built into the kernel has no file.
  for (const module of [...MODULES, ...FREQUENCY_MODULES]) {
    const path = named.get(module)
    if (path !== undefined) add(path)
  }
  return [...ordered].map(path => join(folder, 'lib/modules', release, path))
}
