import test from 'ava'
import fc from 'fast-check'
import { Budget } from '../../src/probes/budget.js'

const LIMIT = 0.01

/**
 * A machine on which the probes cost so much a second, of which this part stays when nothing is followed in depth; and taut itself so
 * much.
 */
type Machine = { cost: number; floor: number; noise: readonly number[]; agent?: number }

const costOf = ({ cost, floor, noise }: Machine, share: number, second: number): number =>
  cost * (floor + (1 - floor) * share) * (noise[second % noise.length] ?? 1)

/** Runs a budget for some seconds; gives the share and the cost of each. */
const run = (budget: Budget, seconds: number, machineAt: (second: number) => Machine) =>
  Array.from({ length: seconds }, (_, second) => {
    const { share } = budget
    const machine = machineAt(second)
    const probes = costOf(machine, share, second)
    const cost = probes + (machine.agent ?? 0)
    budget.next({ probes, machine: cost })
    return { share, cost }
  })

const countTurns = (shares: number[]): number => {
  const steps = shares.slice(1).map((share, index) => Math.sign(share - (shares[index] ?? 0)))
  const moves = steps.filter(step => step !== 0)
  return moves.filter((step, index) => index > 0 && step !== moves[index - 1]).length
}

test('what costs little is followed whole', t => {
  const budget = new Budget(LIMIT)
  t.is(budget.share, 1)
  for (let second = 0; second < 100; second++) budget.next({ probes: 0.85 * LIMIT, machine: 0.85 * LIMIT })
  t.is(budget.share, 1)
})

test('a load that grows tenfold within a minute stays within the budget, or nothing is followed any more', t => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 0.7, noNaN: true }),
      fc.array(fc.double({ min: 0.9, max: 1.1, noNaN: true }), { minLength: 7, maxLength: 31 }),
      fc.double({ min: 0, max: 1.2 * LIMIT, noNaN: true }),
      (start, floor, noise, agent) => {
        const budget = new Budget(LIMIT)
        const costAt = (second: number): number => start * LIMIT * 10 ** Math.min(1, second / 60)
        const seconds = run(budget, 120, second => ({ cost: costAt(second), floor, noise, agent }))
        // The probes may take a tenth whatever taut itself takes.
        const most = Math.max(LIMIT, agent + LIMIT / 10)
        // A second is over before it is known what it cost: what is too much may last that long, and the next.
        for (const [second, { share, cost }] of seconds.entries()) {
          const before = seconds[second - 1]
          const excess =
            cost > most && before !== undefined && before.cost > most && before.share > 0 && share > 0
          if (excess) t.true(share < before.share, 'it gives way')
        }
        const end = seconds.slice(90)
        const mean = end.reduce((sum, { cost }) => sum + cost, 0) / end.length
        t.true(mean <= most || end.every(({ share }) => share === 0), `${mean}`)
      },
    ),
  )
})

test('a steady load ends in a steady share', t => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 50, noNaN: true }),
      fc.double({ min: 0, max: 0.6, noNaN: true }),
      (times, floor) => {
        const machine = { cost: times * LIMIT, floor, noise: [1] }
        const budget = new Budget(LIMIT)
        const shares = run(budget, 200, () => machine).map(({ share }) => share)
        // Down, and up again at most; and from nothing one step up that turns out too much.
        const most = shares.includes(0) ? 2 : 1
        t.true(countTurns(shares) <= most, shares.join(' '))
        t.is(new Set(shares.slice(100)).size, 1, shares.join(' '))
      },
    ),
    // Nothing costs little, and the smallest share too much.
    { examples: [[50, 0.0116]] },
  )
})

test('what is too much from nothing on is tried again once there is less to do', t => {
  const budget = new Budget(LIMIT)
  run(budget, 50, () => ({ cost: 50 * LIMIT, floor: 0.0116, noise: [1] }))
  t.is(budget.share, 0)
  run(budget, 100, () => ({ cost: 25 * LIMIT, floor: 0.0116, noise: [1] }))
  t.true(budget.share > 0)
})

test('what is too much from nothing on is not tried again and again because it costs now more, now less', t => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.7, max: 1.3, noNaN: true }), { minLength: 7, maxLength: 31 }),
      noise => {
        const seconds = run(new Budget(LIMIT), 600, () => ({ cost: 120 * LIMIT, floor: 0.001, noise }))
        t.true(seconds.filter(({ share }) => share > 0).length <= 4 + 600 / 60)
      },
    ),
  )
})

test('after two peaks that nothing could be followed in, all is followed again', t => {
  const budget = new Budget(LIMIT)
  for (const [cost, seconds] of [
    [30, 8],
    [0.2, 52],
    [30, 8],
    [0.2, 120],
  ] as const)
    run(budget, seconds, () => ({ cost: cost * LIMIT, floor: 0.55, noise: [1], agent: 0.2 * LIMIT }))
  t.is(budget.share, 1)
})

test('after the load, all is followed again', t => {
  const budget = new Budget(LIMIT)
  run(budget, 20, () => ({ cost: 20 * LIMIT, floor: 0.6, noise: [1] }))
  t.is(budget.share, 0)
  run(budget, 120, () => ({ cost: LIMIT / 10, floor: 0.6, noise: [1] }))
  t.is(budget.share, 1)
})

test('one quiet second between busy ones raises nothing', t => {
  const budget = new Budget(LIMIT)
  const spend = (probes: number): number => budget.next({ probes, machine: probes })
  const share = spend(2 * LIMIT)
  for (let second = 0; second < 30; second++) spend(second % 3 === 0 ? 0 : 0.85 * LIMIT)
  t.is(budget.share, share)
})

test('a busy moment of taut itself takes no depth away', t => {
  const budget = new Budget(LIMIT)
  const seconds = run(budget, 30, second => ({
    cost: LIMIT / 2,
    floor: 0,
    noise: [1],
    agent: second % 10 === 5 ? 3 * LIMIT : LIMIT / 10,
  }))
  t.true(seconds.every(({ share }) => share === 1))
})

test('what taut itself takes is known from the first second on, and never more than that', t => {
  const budget = new Budget(LIMIT)
  const [share] = [2, 0.6, 0.8].map(agent =>
    budget.next({ probes: 0.05 * LIMIT, machine: (agent + 0.05) * LIMIT }),
  )
  t.is(share, 1)
  const aside = budget.next({ probes: 0.3 * LIMIT, machine: 1.3 * LIMIT })
  t.is(aside, 1, 'it has taken 0.6, which leaves the probes 0.4')
  t.true(budget.next({ probes: 0.85 * LIMIT, machine: 1.45 * LIMIT }) < 0.5)
})

test('where taut itself takes now more, now less, that does not take depth away and give it again', t => {
  const budget = new Budget(LIMIT)
  const seconds = run(budget, 600, second => ({
    cost: 0.4 * LIMIT,
    floor: 0.6,
    noise: [1],
    agent: (second % 2 === 0 ? 0.1 : 0.6) * LIMIT,
  }))
  t.true(countTurns(seconds.map(({ share }) => share)) <= 2)
})

test('for what costs much now and then there is room while half of the budget has been free, and all is followed', t => {
  const budget = new Budget(LIMIT)
  t.false(budget.hasMuchRoom)
  const spend = (cost: number): boolean => {
    budget.next({ probes: 0, machine: cost })
    return budget.hasMuchRoom
  }
  t.true(spend(0.35 * LIMIT))
  t.false(spend(LIMIT))
  for (let second = 0; second < 3; second++) spend(0.35 * LIMIT)
  t.true(spend(0.35 * LIMIT))
  t.false(spend(2 * LIMIT))
  for (let second = 0; second < 5; second++) t.false(spend(0.35 * LIMIT))
})

test('where taut itself takes more than the budget, the probes keep nearly a tenth of it', t => {
  const budget = new Budget(LIMIT)
  const machine = { floor: 0, noise: [1], agent: 2 * LIMIT }
  run(budget, 30, () => ({ ...machine, cost: 0.08 * LIMIT }))
  t.is(budget.share, 1)
  const end = run(budget, 60, () => ({ ...machine, cost: LIMIT })).at(-1)
  t.true((end?.share ?? 0) > 0.05 && (end?.share ?? 1) <= 0.1, `${end?.share}`)
})
