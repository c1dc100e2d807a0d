import type { Duplex } from 'node:stream'
import blessed from 'blessed'
import { toAscii } from '../text/ascii.js'
import { composeScreen } from './compose.js'
import { followService, moveCursor } from './cursor.js'
import { composeHelp } from './help.js'
import type { LiveModel, LiveService, LiveView } from './model.js'

/** A terminal's output, as process.stdout. */
export type TerminalOutput = Duplex & { isTTY?: boolean; columns?: number; rows?: number }

/** What a live screen draws on and whom it tells. */
export type LiveScreenOptions = {
  /** A terminal's input, as process.stdin. */
  input: Duplex
  output: TerminalOutput
  color: boolean
  /** Called when a service is to be traced. */
  onChoose: (service: LiveService) => void
  /** Called once when the person or a signal wants to end, Ctrl-C being an interrupt too; the screen is restored by then. */
  onQuit: (isInterrupt: boolean) => void
}

/** An open live screen. */
export type LiveScreen = {
  /** Shows a new model, unless the screen is paused: then it is kept and shown when it goes on. */
  update(model: LiveModel): void
  /** Shows one line instead of the keys until the next key. */
  message(text: string): void
  /** Gives the terminal back as it was; a second time does nothing. */
  close(): void
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const

/**
 * Takes over a terminal and shows what it is given on it until it is closed.
 *
 * Throws TypeError, before anything is written, when the output is not a terminal.
 */
export const openLiveScreen = ({ input, output, color, onChoose, onQuit }: LiveScreenOptions): LiveScreen => {
  if (output.isTTY !== true) {
    throw new TypeError('output must be a terminal')
  }

  const view: LiveView = { model: null, cursor: 0, isPaused: false, helpFrom: null, message: '' }
  let latest: LiveModel | null = null
  let isOpen = true

  const isUnicode = hasUnicodeLocale(process.env)
  const screen = blessed.screen({
    // Its own terminal descriptions print noise for others, and all terminals in use understand this one.
    program: blessed.program({ input, output, terminal: 'xterm-256color', buffer: true }),
    forceUnicode: isUnicode,
    fullUnicode: true,
  })
  // Blessed ends the process on these signals when nobody else listens, before anything could be undone.
  for (const signal of SIGNALS) {
    process.on(signal, interrupt)
  }

  const box = blessed.box({ parent: screen, top: 0, left: 0, width: '100%', height: '100%', wrap: false })

  function draw(): void {
    if (!isOpen) {
      return
    }

    const area = { columns: Number(screen.width), rows: Number(screen.height) }
    const text = composeScreen(view, area, color).join('\n')
    box.setContent(isUnicode ? text : toAscii(text))
    screen.render()
  }

  function show(model: LiveModel): void {
    const before = view.model?.services[view.cursor]
    view.cursor = followService(model.services, before)
    view.model = model
  }

  function close(): void {
    if (!isOpen) {
      return
    }

    isOpen = false
    screen.destroy()
    for (const signal of SIGNALS) {
      process.removeListener(signal, interrupt)
    }
  }

  function quit(isInterrupt: boolean): void {
    if (isOpen) {
      close()
      onQuit(isInterrupt)
    }
  }

  function interrupt(): void {
    quit(true)
  }

  const move = (lines: number): void => {
    if (view.helpFrom === null) {
      view.cursor = moveCursor(view.cursor, lines, view.model?.services.length ?? 0)
    } else {
      view.helpFrom = moveCursor(view.helpFrom, lines, composeHelp(Number(screen.width)).length)
    }
  }

  const onKey = (keys: string[], act: () => void): void => {
    screen.key(keys, () => {
      view.message = ''
      act()
      draw()
    })
  }

  onKey(['up', 'k'], () => move(-1))
  onKey(['down', 'j'], () => move(1))
  onKey(['enter', 'linefeed'], () => {
    const service = view.model?.services[view.cursor]
    if (service !== undefined && view.helpFrom === null) {
      onChoose(service)
    }
  })
  onKey(['space'], () => {
    view.isPaused = !view.isPaused
    if (!view.isPaused && latest !== null) {
      show(latest)
    }
  })
  onKey(['?'], () => {
    view.helpFrom = view.helpFrom === null ? 0 : null
  })
  screen.key(['q'], () => quit(false))
  screen.key(['C-c'], interrupt)
  screen.on('resize', draw)
  draw()

  return {
    update(model) {
      latest = model
      if (!view.isPaused) {
        show(model)
        draw()
      }
    },
    message(text) {
      view.message = text
      draw()
    },
    close,
  }
}

/** Whether a process with this environment may write more than ASCII, by the locale it asks for. */
const hasUnicodeLocale = (env: NodeJS.ProcessEnv): boolean =>
  /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '')
