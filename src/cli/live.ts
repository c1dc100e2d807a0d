import type { Command } from 'commander'
import type { MeasureDocument, NamedService } from '../latency/document.js'
import type { KernelTypes } from '../probes/kernel-types.js'
import { Session } from '../probes/session.js'
import { TrafficMeter } from '../probes/traffic.js'
import { pickOnlyTcp } from '../system/candidates.js'
import { looksLikeClient, readEphemeralPorts } from '../system/ephemeral-ports.js'
import { listServices, type Service } from '../system/services.js'
import { createTarget, type Target, type TargetOptions } from '../system/target.js'
import { isSameService } from '../tui/cursor.js'
import { openLiveScreen } from '../tui/live.js'
import type { LiveModel, LiveService } from '../tui/model.js'
import { addBtfOption, type BtfArguments, pickKernelTypes } from './btf-option.js'
import { createBudgetOption } from './budget-option.js'
import { chooseTarget, findTargets } from './choose-target.js'
import { EXIT, Failure } from './failure.js'
import { listenForInterrupt, sleep } from './interrupt.js'
import { tellRefused } from './measure.js'
import { requirePermission } from './permission.js'
import { addTargetOptions, pickTarget, type TargetArguments } from './target-options.js'
import { hasColor } from './terminal.js'

const REFRESH_MS = 1000
/** Services come and go, and counting their traffic has a price: a quarter of a second in ten. */
const RANKING_MS = 250
const REFRESHES_A_RANKING = 10

type LiveOptions = TargetArguments & BtfArguments & { budget?: number; json?: boolean }

/** Adds `taut live`, the default: the terminal view of the services, one of them traced. */
export const addLive = (program: Command): void => {
  addBtfOption(addTargetOptions(program.command('live')))
    .description('the terminal view (the default)')
    .addOption(createBudgetOption())
    .option('--json', 'no screen: one JSON document a second, one a line')
    .action(live)
}

const live = async (options: LiveOptions): Promise<void> => {
  requirePermission()
  const types = pickKernelTypes(options)
  if (options.json) return streamDocuments(pickTarget(options), types, options.budget)
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new Failure('the live view needs a terminal (try: taut measure, or taut live --json)')
  }
  await showLive(pickTarget(options), types, options.budget)
}

const streamDocuments = async (
  options: TargetOptions,
  types: KernelTypes,
  budget: number | undefined,
): Promise<void> => {
  const { signal } = listenForInterrupt()
  using session = await Session.start(await chooseTarget(options, types), types, budget)
  tellRefused(session)
  while (!signal.aborted) {
    await sleep(REFRESH_MS, signal)
    if (signal.aborted) break
    await session.refresh()
    process.stdout.write(`${JSON.stringify(await session.describeInterval())}\n`)
  }
  process.exitCode = EXIT.interrupted
}

/** Shows the live view until the person or a signal ends it; traces what the options name, or the busiest service. */
export const showLive = async (
  options: TargetOptions,
  types: KernelTypes,
  budget?: number,
): Promise<void> => {
  const view = new LiveView(options, types, budget)
  await view.run()
}

/** The services of the machine, the session with one of them, and the screen that shows both. */
class LiveView {
  readonly #options: TargetOptions
  readonly #budget: number | undefined
  readonly #types: KernelTypes
  readonly #quit = new AbortController()
  #services: { service: Service; rate: number | null }[] = []
  readonly #traffic: TrafficMeter
  #session: Session | null = null
  #startedMs = 0
  #document: MeasureDocument | null = null
  #wanted: Target | null = null
  #status = 'looking for services'

  constructor(options: TargetOptions, types: KernelTypes, budget: number | undefined) {
    this.#options = options
    this.#types = types
    this.#budget = budget
    this.#traffic = new TrafficMeter(types)
  }

  async run(): Promise<void> {
    // Before the screen opens: a target that is not there is a message and not a screen.
    const targets = await findTargets(this.#options)
    if (targets.length === 1) this.#wanted = targets[0] ?? null
    const interrupt = listenForInterrupt()
    const screen = openLiveScreen({
      input: process.stdin,
      output: process.stdout,
      color: hasColor(process.stdout),
      onChoose: chosen => this.#choose(chosen),
      onQuit: isInterrupt => this.#quit.abort(isInterrupt),
    })
    try {
      for (let turn = 0; !this.#quit.signal.aborted; turn++) {
        if (turn % REFRESHES_A_RANKING === 0) await this.#rank()
        await this.#trace()
        screen.update(this.#model())
        await sleep(REFRESH_MS, this.#quit.signal)
      }
    } finally {
      screen.close()
      this.#traffic.close()
      this.#session?.close()
    }
    if (interrupt.signal.aborted || this.#quit.signal.reason === true) process.exitCode = EXIT.interrupted
  }

  #choose(chosen: LiveService): void {
    const found = this.#services.find(({ service }) => isSameService(chosen, service))
    if (found === undefined) return
    const { service } = found
    this.#wanted = this.#target(service)
    this.#status = `attaching to ${service.comm ?? service.port}`
  }

  /** Which services there are, and which of them have traffic; the first time, the busiest one is traced. */
  async #rank(): Promise<void> {
    const ephemeral = readEphemeralPorts()
    const services = (await listServices('tcp', 'udp')).filter(
      service => this.#isTraced(service) || !looksLikeClient(service, ephemeral),
    )
    const rates = await this.#traffic.measure(services, RANKING_MS)
    this.#services = services
      .map((service, index) => ({ service, rate: rates[index] ?? null }))
      .sort((a, b) => (b.rate ?? 0) - (a.rate ?? 0))
    const [busiest] = this.#services
    const chosen = busiest?.rate ? busiest : pickOnlyTcp(this.#services)
    if (this.#wanted === null && this.#session === null && chosen !== null) {
      this.#wanted = this.#target(chosen.service)
    }
  }

  #target(service: Service): Target {
    const services = this.#services.map(each => each.service)
    return createTarget(service, services)
  }

  async #trace(): Promise<void> {
    if (this.#wanted !== null) {
      const target = this.#wanted
      this.#wanted = null
      this.#session?.close()
      this.#session = await Session.start(target, this.#types, this.#budget)
      this.#startedMs = performance.now()
      this.#document = null
    } else if (this.#session !== null) {
      await this.#session.refresh()
      this.#document = await this.#session.describeInterval()
    }
    this.#status = this.#describeStatus()
  }

  #describeStatus(): string {
    const target = this.#session?.target
    if (target === undefined) return 'no service has traffic: choose one'
    const isThere = this.#services.some(({ service }) => this.#isTraced(service))
    return isThere ? 'tracing' : 'the service listens no more'
  }

  #isTraced({ netns, port, protocol }: Service): boolean {
    const target = this.#session?.target ?? this.#wanted
    return target?.netns === netns && target.service.protocol === protocol && target.ports.includes(port)
  }

  /** What UDP is there for, unlike TCP, only traffic shows: DHCP and its like would fill the screen. */
  #isListed({ service, rate }: { service: Service; rate: number | null }): boolean {
    return service.protocol === 'tcp' || (rate ?? 0) > 0 || this.#isTraced(service)
  }

  #model(): LiveModel {
    const session = this.#session
    return {
      services: this.#services
        .filter(each => this.#isListed(each))
        .map(({ service, rate }) => ({
          ...nameOf(service),
          netns: service.netns,
          readsPerSecond: rate,
          chosen: session !== null && this.#isTraced(service),
        })),
      target: session === null ? null : nameOf(session.service),
      losses: session?.losses ?? null,
      document: this.#document,
      seconds: this.#session === null ? 0 : (performance.now() - this.#startedMs) / 1000,
      status: this.#status,
    }
  }
}

const nameOf = ({ port, protocol, comm, pid }: Service): NamedService => ({ port, protocol, comm, pid })
