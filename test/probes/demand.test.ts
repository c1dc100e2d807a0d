import test from 'ava'
import { OnDemand } from '../../src/probes/demand.js'

/** A switch that tells whether it is on. */
const createSwitch = (requestsANeed?: number) => {
  const state = { on: false }
  const onDemand = new OnDemand(() => {
    state.on = true
    return () => {
      state.on = false
    }
  }, requestsANeed)
  return { state, onDemand }
}

test('what hardly any request needs is turned off, once there were enough to tell', t => {
  const { state, onDemand } = createSwitch()
  t.true(state.on)
  onDemand.adapt({ requests: 999, needed: 0 })
  t.true(state.on)
  onDemand.adapt({ requests: 100_000, needed: 3 })
  t.false(state.on)
  onDemand.adapt({ requests: 200_000, needed: 5 })
  t.false(state.on)
})

test('what is needed stays on', t => {
  const { state, onDemand } = createSwitch()
  onDemand.adapt({ requests: 2000, needed: 2 })
  onDemand.adapt({ requests: 1_000_000, needed: 2 })
  t.true(state.on)
})

test('what is missed is turned on again, for good, however few requests there were', t => {
  const { state, onDemand } = createSwitch()
  onDemand.adapt({ requests: 2000, needed: 0 })
  t.false(state.on)
  onDemand.adapt({ requests: 2003, needed: 1 })
  t.true(state.on)
  onDemand.adapt({ requests: 1_000_000, needed: 1 })
  t.true(state.on)
})

test('nothing happens while there are no requests', t => {
  const { state, onDemand } = createSwitch()
  onDemand.adapt({ requests: 0, needed: 0 })
  t.true(state.on)
})

test('what a single request may need stays on for one, and comes back for one', t => {
  const [first, second] = [createSwitch(Number.MAX_SAFE_INTEGER), createSwitch(Number.MAX_SAFE_INTEGER)]
  first.onDemand.adapt({ requests: 1_000_000, needed: 1 })
  t.true(first.state.on)
  second.onDemand.adapt({ requests: 1000, needed: 0 })
  t.false(second.state.on)
  second.onDemand.adapt({ requests: 1_000_000, needed: 1 })
  t.true(second.state.on)
})
