// Shows the live screen with made-up numbers, to look at it: node dist/test/tui/show-live.js
import { openLiveScreen } from '../../src/tui/live.js'
import { exampleModel } from './example-model.js'

const screen = openLiveScreen({
  input: process.stdin,
  output: process.stdout,
  color: process.env.NO_COLOR === undefined,
  onChoose: service => screen.message(`chose ${service.comm}`),
  onQuit: () => clearInterval(refresh),
})
let seconds = 0
const refresh = setInterval(() => screen.update(exampleModel({ seconds: ++seconds })), 1000)
screen.update(exampleModel({ seconds }))
