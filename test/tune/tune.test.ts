import test from 'ava'
import { type Effect, invent, simulate } from '../../bench/simulated-machine.js'
import { createRandom } from '../../src/statistics/random.js'
import { FEWEST_TO_CONFIRM, PAIRS_TO_CONFIRM } from '../../src/tune/confirm.js'
import { planLooks } from '../../src/tune/looks.js'

const nothing = (name: string): Effect => ({ name, p99: 1 })

test('a setting that helps is kept, and is on in the end; the others are not', async t => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const helps: Effect = { name: 'helps', p99: 0.6 }
    const { run, on } = simulate(seed)
    const { kept, trials, before, after } = await run([nothing('a'), helps, nothing('b')])
    t.deepEqual(kept, [helps], `seed ${seed}: ${trials.map(({ reason }) => reason).join('; ')}`)
    t.deepEqual([...on], [helps])
    t.true((after?.p99 ?? 1) < (before?.p99 ?? 0))
  }
})

test('each goal is tuned for: what betters it is kept', async t => {
  const goals = [
    ['p50', { name: 'p50', p99: 1, p50: 0.7 }],
    ['p99', { name: 'p99', p99: 0.6 }],
    ['p99.9', { name: 'p99.9', p99: 1, p999: 0.5 }],
    ['throughput', { name: 'throughput', p99: 1, throughput: 1.3 }],
    ['energy', { name: 'energy', p99: 1, watts: 0.7 }],
  ] as const
  for (const [goal, helps] of goals) {
    const { kept, trials } = await simulate(6, invent(createRandom(6), { calm: true })).run(
      [nothing('a'), helps],
      { goal, minutes: 6 },
    )
    t.deepEqual(kept, [helps], `${goal}: ${trials.map(({ reason }) => reason).join('; ')}`)
  }
})

test('what makes packets wait less before the first stage is kept by the acknowledgements, and only such is', async t => {
  for (const seed of [1, 2, 3]) {
    const { run, on } = simulate(seed, invent(createRandom(seed), { calm: true }))
    const lessHeld: Effect = { name: 'less held', p99: 1, ack: 0.1, isBeforeStages: true }
    const { kept, trials, before, after } = await run([{ name: 'other', p99: 1, ack: 0.1 }, lessHeld])
    t.deepEqual(kept, [lessHeld], `seed ${seed}: ${trials.map(({ reason }) => reason).join('; ')}`)
    t.deepEqual([...on], [lessHeld])
    // Percentiles are told as they were measured, without that time.
    t.true(Math.abs((after?.p50 ?? 0) / (before?.p50 ?? 0) - 1) < 0.1)
    t.true((after?.p50 ?? 0) < 60_000)
  }
})

test('where acknowledgements take so long that what a card holds back is nothing to them, it proves nothing', async t => {
  const slow: Effect = { name: 'delayed', p99: 1, ack: 80 }
  const lessHeld: Effect = { name: 'less held', p99: 1, ack: 0.99, isBeforeStages: true }
  const { run, on } = simulate(4, invent(createRandom(4), { size: 0.05, calm: true }))
  on.add(slow)
  const { kept, trials } = await run([lessHeld])
  t.deepEqual(kept, [])
  t.not(trials[0]?.decision, 'kept')
})

test('without an acknowledgement there is nothing to judge it by', async t => {
  const none: Effect = { name: 'none', p99: 1, ack: Number.NaN }
  const { run, on } = simulate(5)
  on.add(none)
  const { kept, trials } = await run([{ name: 'less held', p99: 1, ack: 0.1, isBeforeStages: true }])
  t.deepEqual(kept, [])
  t.is(trials[0]?.reason, 'it takes acknowledgements to tell, and there were none in a slice')
})

test('what makes packets wait less, and the service three times as slow, is refused however long acknowledgements take', async t => {
  const { run, on } = simulate(6)
  on.add({ name: 'late', p99: 1, ack: 10 })
  const trap: Effect = { name: 'trap', p99: 1, p50: 3, ack: 0.1, isBeforeStages: true }
  const { kept, trials } = await run([trap])
  t.deepEqual(kept, [])
  t.regex(trials[0]?.reason ?? '', /^the p50 rose by/)
})

test('what saves energy, or shortens the tail, and has packets wait in the card for longer is refused', async t => {
  const held = { ack: 1.3, isBeforeStages: true } as const
  const saves = await simulate(6).run([{ name: 'saves', p99: 1, watts: 0.7, ...held }], { goal: 'energy' })
  const shortens = await simulate(6).run([{ name: 'shortens', p99: 0.1, ...held }])
  for (const { kept, trials } of [saves, shortens]) {
    t.deepEqual(kept, [])
    t.regex(trials[0]?.reason ?? '', /^the (p50|mean), with the time until replies are acknowledged, rose by/)
  }
  const saved: Effect = { name: 'saves', p99: 1, watts: 0.7, ack: 1, isBeforeStages: true }
  t.deepEqual((await simulate(6).run([saved], { goal: 'energy' })).kept, [saved])
})

test('what betters p99 and worsens the mean by 40 % is refused', async t => {
  for (const seed of [3, 4, 5, 6]) {
    const { trials, kept } = await simulate(seed).run([{ name: 'trap', p99: 0.5, mean: 1.4 }])
    t.deepEqual(kept, [])
    t.is(trials[0]?.decision, 'undone')
    t.regex(trials[0]?.reason ?? '', /^the mean rose by (3[5-9]|4[0-5]) %$/)
  }
})

test('what betters p99 and has the CPUs work more than is allowed is refused, unless the user allows it', async t => {
  const burns: Effect = { name: 'burns', p99: 0.5, busy: 1.8 }
  const { trials, kept } = await simulate(4).run([burns])
  t.deepEqual(kept, [])
  const reason = trials[0]?.reason ?? ''
  t.regex(reason, /^the CPUs were busy for .* longer|^the energy rose by/)
  // As the report says.
  const told = [...reason.matchAll(/--allow (\w+)=\+(\d+)%/g)]
  const allow = Object.fromEntries(told.map(([, guard, percent]) => [guard, Number(percent) / 100]))
  const allowed = await simulate(4).run([burns], { allow })
  t.deepEqual(allowed.kept, [burns], `${reason}; ${allowed.trials[0]?.reason}`)
})

test('what betters the throughput and trebles p99, or has requests unanswered, or takes more watts, is refused', async t => {
  const slow = await simulate(4).run([{ name: 'slow', p99: 1.6, throughput: 1.3 }], { goal: 'throughput' })
  t.regex(slow.trials[0]?.reason ?? '', /^the p99 rose by/)
  const drops = await simulate(4).run([{ name: 'drops', p99: 0.5, unanswered: 3 }])
  t.regex(drops.trials[0]?.reason ?? '', /^\d+ requests got no reply, and 0 without it$/)
  const heats = await simulate(4).run([{ name: 'heats', p99: 0.5, watts: 1.5 }])
  t.regex(heats.trials[0]?.reason ?? '', /^the energy rose by 50 %/)
  for (const { kept } of [slow, drops, heats]) t.deepEqual(kept, [])
})

test('each of three is dear within what is allowed, and all together are not: the dearest is left out', async t => {
  const dear = (name: string, busy: number): Effect => ({ name, p99: 0.6, busy })
  const { kept, trials } = await simulate(12, invent(createRandom(12), { size: 0.05, calm: true })).run(
    [dear('first', 1.15), dear('second', 1.15), dear('third', 1.4)],
    { minutes: 6, allow: { cpu: 0.6, energy: 0.6 } },
  )
  t.deepEqual(
    kept.map(({ name }) => name),
    ['first', 'second'],
    trials.map(({ reason }) => reason).join('; '),
  )
  t.regex(
    trials[2]?.reason ?? '',
    /^together with the others, (the CPUs were busy for|the energy rose by) [789]\d %/,
  )
})

test('a load that doubles halfway fools nobody, and does not hide what helps', async t => {
  for (const seed of [11, 12, 13, 14, 15, 16]) {
    const noise = (calm: boolean) => invent(createRandom(seed), { load: ms => (ms > 30_000 ? 2 : 1), calm })
    const useless = await simulate(seed, noise(false)).run([nothing('a'), nothing('b')])
    t.deepEqual(useless.kept, [], `seed ${seed}`)
    const helps: Effect = { name: 'helps', p99: 0.5 }
    const { kept, trials } = await simulate(seed, noise(true)).run([nothing('a'), helps])
    t.deepEqual(kept, [helps], `seed ${seed}: ${trials[1]?.reason}`)
  }
})

test('what helps while a disturbance is absent, and harms as much beside it, is refused', async t => {
  for (let seed = 0; seed < 20; seed++) {
    const noise = invent(createRandom(seed), { wave: { ms: 6000, times: 4 }, size: 0.05, calm: true })
    const { run, now } = simulate(seed, noise)
    const fickle: Effect = { name: 'fickle', p99: 0.6 }
    Object.defineProperty(fickle, 'p99', { get: () => (now() % 6000 < 3000 ? 1.7 : 0.6) })
    t.deepEqual((await run([fickle])).kept, [], `seed ${seed}`)
  }
})

test('what seems to help only while a disturbance happens to be absent is refused', async t => {
  for (let seed = 0; seed < 40; seed++) {
    // Half of the time somebody else makes the tail four times as long, for three seconds on end.
    const noise = invent(createRandom(seed), { wave: { ms: 6000, times: 4 } })
    const { kept } = await simulate(seed, noise).run([nothing('lucky'), nothing('luckier')])
    t.deepEqual(kept, [], `seed ${seed}`)
  }
})

test('what collapses under a setting is stopped at once', async t => {
  const { trials, kept } = await simulate(6).run([{ name: 'breaks', p99: 1, throughput: 0.5 }])
  t.deepEqual(kept, [])
  t.regex(trials[0]?.reason ?? '', /^stopped at once: the throughput fell by [45]\d %$/)
  t.true((trials[0]?.pairs.length ?? 9) <= 1)
})

test('a setting that stops the traffic is stopped at once', async t => {
  const { trials, kept } = await simulate(6).run([{ name: 'stops', p99: 1, throughput: 0 }])
  t.deepEqual(kept, [])
  t.is(trials[0]?.reason, 'stopped at once: the throughput fell by 100 %')
})

test('few requests a second that come by chance are no collapse', async t => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const noise = invent(createRandom(seed), { rate: 500 })
    const { trials } = await simulate(seed, noise).run([{ name: 'helps', p99: 0.7 }])
    t.false(
      trials.some(({ reason }) => reason.startsWith('stopped')),
      `seed ${seed}: ${trials[0]?.reason}`,
    )
  }
})

test('traffic that stops by itself collapses under nothing', async t => {
  const noise = invent(createRandom(3), { load: ms => (ms % 4000 < 1500 ? 0.0001 : 1) })
  const { trials, kept } = await simulate(3, noise).run([nothing('a')], { minutes: 1 })
  t.deepEqual(kept, [])
  t.not(trials[0]?.decision, 'kept')
  t.false(trials[0]?.pairs.some(({ on, off }) => Math.min(on.requests, off.requests) < 100))
})

test('where the traffic falls below what tells, it says what it would take', async t => {
  const noise = invent(createRandom(4), { rate: 1000, load: ms => (ms < 1500 ? 1 : 0.1) })
  const { trials, kept } = await simulate(4, noise).run([nothing('a')], { minutes: 1 })
  t.deepEqual(kept, [])
  t.is(trials[0]?.decision, 'undecided')
  t.regex(
    trials[0]?.reason ?? '',
    /^the traffic stops by itself, with it and without it: \d{1,2} requests in a slice of 0\.3 s, where it takes 100 or more \(334 a second\)$/,
  )
})

test('what the kernel refuses, or what has no effect, is undone with the reason, and the others go on', async t => {
  const helps: Effect = { name: 'helps', p99: 0.5 }
  const { trials, kept } = await simulate(7).run([
    { name: 'refused', p99: 0.5, refused: 'cannot set it: EINVAL' },
    { name: 'idle', p99: 0.5, missing: 'accepted by the kernel, no effect seen: it stayed' },
    helps,
  ])
  t.deepEqual(trials.map(({ decision, reason }) => [decision, reason]).slice(0, 2), [
    ['undone', 'cannot set it: EINVAL'],
    ['undone', 'accepted by the kernel, no effect seen: it stayed'],
  ])
  t.deepEqual(kept, [helps])
})

test('of two settings that do the same, one goes again', async t => {
  // The second makes the first useless.
  const first: Effect = { name: 'first', p99: 0.8 }
  const second: Effect = { name: 'second', p99: 0.5 }
  const { run, on } = simulate(8, invent(createRandom(8), { size: 0.05 }))
  Object.defineProperty(first, 'p99', { get: () => (on.has(second) ? 1 : 0.8) })
  const { kept } = await run([first, second])
  t.deepEqual(kept, [second])
  t.deepEqual([...on], [second])
})

test('what helps only beside what was kept later is tried once more', async t => {
  const needs: Effect = { name: 'needs', p99: 1 }
  const other: Effect = { name: 'other', p99: 0.5 }
  const { run, on } = simulate(9, invent(createRandom(9), { size: 0.05, calm: true }))
  Object.defineProperty(needs, 'p99', { get: () => (on.has(other) ? 0.5 : 1) })
  const { kept } = await run([needs, other], { minutes: 5 })
  t.deepEqual(kept, [other, needs])
})

test('with a target, trying ends when it is reached, and what it is reached without is given back', async t => {
  const { run, on } = simulate(31, invent(createRandom(31), { calm: true }))
  const half: Effect = { name: 'half', p99: 0.6, busy: 1.02 }
  const fourth: Effect = { name: 'fourth', p99: 0.3 }
  const more: Effect = { name: 'more', p99: 0.5 }
  // 400 us without anything: the second alone reaches it.
  const { kept, trials, isReached } = await run([half, fourth, more], {
    minutes: 5,
    target: { quantity: 'p99', ns: 200_000 },
  })
  t.deepEqual(
    trials.map(({ candidate }) => candidate.name),
    ['half', 'fourth'],
  )
  t.deepEqual(kept, [fourth])
  t.is(trials[0]?.reason, 'the target is reached without it')
  t.deepEqual([...on], [fourth])
  t.true(isReached)
})

test('of two settings of the same place, the second is not tried once the first is kept', async t => {
  const first: Effect = { name: 'first', p99: 0.5, place: 'the CPUs' }
  const second: Effect = { name: 'second', p99: 0.4, place: 'the CPUs' }
  const { kept, trials } = await simulate(41).run([first, second])
  t.deepEqual(kept, [first])
  t.deepEqual(
    trials.map(({ decision, pairs }) => [decision, pairs.length > 0]),
    [
      ['kept', true],
      ['undecided', false],
    ],
  )
})

test('where the noise hides what a setting does, it says how many pairs it would take', async t => {
  const noise = invent(createRandom(21), { size: 0.6 })
  const { trials, kept } = await simulate(21, noise).run([{ name: 'small', p99: 0.9 }], { minutes: 1 })
  t.deepEqual(kept, [])
  t.is(trials[0]?.decision, 'undecided', trials[0]?.reason)
  t.is(trials[0]?.reason, 'the noise is larger than what it does')
  const needed = trials[0]?.needed
  t.true((needed?.pairs ?? 0) > (trials[0]?.pairs.length ?? Number.POSITIVE_INFINITY))
  t.is(needed?.isWithinReach, (needed?.pairs ?? 0) <= (planLooks(1).at.at(-1) ?? 0))
})

test('where time is up before anything can be told, it says so', async t => {
  const { trials, kept } = await simulate(22).run([{ name: 'helps', p99: 0.5 }], { minutes: 0.1 })
  t.deepEqual(kept, [])
  t.regex(
    trials[0]?.reason ?? '',
    /^there was time for \d pairs of slices, and fewer than \d+ prove nothing$/,
  )
})

test('where the time is too little for all, the first ones have as much as it takes, and the others are not tried', async t => {
  const several: Effect[] = [
    { name: 'helps', p99: 0.4 },
    ...['a', 'b', 'c', 'd', 'e'].map(name => ({ name, p99: 0.96 })),
  ]
  const noise = invent(createRandom(61), { calm: true })
  const { kept, trials } = await simulate(61, noise).run(several, { minutes: 1 })
  t.deepEqual(kept, several.slice(0, 1), trials.map(({ reason }) => reason).join('; '))
  const [fewest = 0] = planLooks(several.length).at
  const last = trials.at(-1)
  t.is(last?.pairs.length, 0)
  t.is(last?.decision, 'undecided')
  t.regex(
    last?.reason ?? '',
    new RegExp(
      `^there was no time left for the ${fewest} pairs of slices that it takes to prove anything, about \\d+ s \\(try: --for longer\\)$`,
    ),
  )
})

test('where a gain is seen when the time of a trial is up, it has that of the others to be proven', async t => {
  const several: Effect[] = [
    { name: 'helps', p99: 0.8 },
    ...['a', 'b', 'c'].map(name => ({ name, p99: 0.96 })),
  ]
  let keptWith = 0
  for (let seed = 71; seed < 91; seed++) {
    const noise = invent(createRandom(seed), { calm: true, size: 0.12 })
    const { kept } = await simulate(seed, noise).run(several, { minutes: 1.2 })
    if (kept.includes(several[0] as Effect)) keptWith++
  }
  t.log(keptWith)
  t.true(keptWith >= 16, `${keptWith} of 20`)
})

test('the last comparison has less time where another one that helps can be proven by that', async t => {
  const several: Effect[] = [
    { name: 'helps', p99: 0.6 },
    { name: 'helps too', p99: 0.6 },
  ]
  const noise = invent(createRandom(96), { calm: true, size: 0.05 })
  const { kept, whole } = await simulate(96, noise).run(several, { minutes: 0.5 })
  t.deepEqual(kept, several)
  t.not(whole, null)
})

test('the trial of the only one that is kept is the comparison with nothing, where there is no time for another', async t => {
  const cure: Effect = { name: 'cure', p99: 0.6 }
  const noise = invent(createRandom(96), { calm: true, size: 0.05 })
  const { kept, whole, trials } = await simulate(96, noise).run([{ name: 'harms', p99: 1.2 }, cure], {
    minutes: 0.33,
  })
  t.deepEqual(kept, [cure], trials.map(({ reason }) => reason).join('; '))
  t.deepEqual(whole, trials[1]?.judgement)
})

test('what was kept and harms when it is compared with nothing goes, though the pairs are few', async t => {
  const cure: Effect = { name: 'cure', p99: 0.6 }
  const noise = invent(createRandom(96), { calm: true, size: 0.05 })
  let pairs = 0
  const { kept, whole } = await simulate(96, noise).run([{ name: 'harms', p99: 1.2 }, cure], {
    minutes: 0.38,
    onStep: ({ is }) => {
      pairs = 0
      if (is === 'confirming') cure.p99 = 1.3
    },
    onPair: count => {
      pairs = count
    },
  })
  t.true(pairs >= FEWEST_TO_CONFIRM && pairs < PAIRS_TO_CONFIRM, `${pairs}`)
  t.deepEqual(kept, [])
  t.is(whole, null)
})

test('what gains hardly more than the least does not take the time of all others', async t => {
  const several: Effect[] = [{ name: 'hardly', p99: 0.958 }, nothing('a'), nothing('b'), nothing('c')]
  const noise = invent(createRandom(150), { calm: true, size: 0.02 })
  const { trials } = await simulate(150, noise).run(several, { minutes: 1.5 })
  t.true(
    trials.every(({ pairs }) => pairs.length > 0),
    trials.map(({ reason, pairs }) => `${pairs.length}: ${reason}`).join('; '),
  )
})

test('what is proven beside nothing is not given up for a few pairs that do not show it again', async t => {
  const several: Effect[] = [{ name: 'helps', p99: 0.8 }, nothing('a')]
  let proven = 0
  for (let seed = 151; seed < 191; seed++) {
    const noise = invent(createRandom(seed), { calm: true, size: 0.12 })
    const { trials } = await simulate(seed, noise).run(several, { minutes: 0.4 })
    const [{ decision, reason } = { decision: '', reason: '' }] = trials
    t.not(reason, 'in the end, all together were not better than nothing', `seed ${seed}`)
    if (decision === 'kept') proven++
  }
  t.true(proven > 0)
})

test('a run too short for all tells of the first that can be measured how many pairs there were', async t => {
  const refused: Effect = { name: 'refused', p99: 0.5, refused: 'it is refused' }
  const { trials } = await simulate(91).run([refused, { name: 'helps', p99: 0.5 }], { minutes: 0.1 })
  t.regex(trials[1]?.reason ?? '', /^there was time for [1-9]\d* pairs of slices/)
})

test('what helps a little, and would take long to be proven, leaves others their share of the time', async t => {
  const several: Effect[] = [
    { name: 'a little', p99: 0.93 },
    { name: 'cure', p99: 0.6 },
  ]
  const shares: number[] = []
  for (let seed = 101; seed < 121; seed++) {
    const noise = invent(createRandom(seed), { calm: true, size: 0.1 })
    const { trials } = await simulate(seed, noise).run(several, { minutes: 0.7 })
    const [little, cure] = trials
    if (cure?.decision === 'undecided') shares.push(cure.pairs.length / (little?.pairs.length ?? 0))
  }
  t.true(shares.length > 0)
  t.true(Math.min(...shares) > 0.9, `${shares}`)
})

test('where one that is not decided takes all the time there is, the others are compared with nothing all the same', async t => {
  for (const minutes of [2, 3, 5]) {
    const several: Effect[] = [
      { name: 'helps', p99: 0.5 },
      { name: 'helps too', p99: 0.6 },
      { name: 'hardly helps', p99: 0.95 },
    ]
    const noise = invent(createRandom(51), { size: 0.3 })
    const { kept, whole } = await simulate(51, noise).run(several, { minutes })
    t.true(kept.length > 1, `${kept.length} kept in ${minutes} minutes`)
    t.not(whole, null, `in ${minutes} minutes`)
  }
})

test('what makes p99 four times as long is stopped at once, also where that is no longer than before anything was kept', async t => {
  const helps: Effect = { name: 'helps', p99: 0.2 }
  const harms: Effect = { name: 'harms', p99: 4.5 }
  const { kept, trials } = await simulate(61, invent(createRandom(61), { calm: true })).run([helps, harms], {
    minutes: 5,
  })
  t.deepEqual(kept, [helps])
  t.regex(trials[1]?.reason ?? '', /^stopped at once: the p99 became more than 3\.\d times as long$/)
})

test('what somebody else sets in the midst of its trial stays theirs, and the others go on', async t => {
  const contested: Effect = { name: 'contested', p99: 0.5, takenAt: 8000, place: 'the CPUs' }
  const same: Effect = { name: 'same place', p99: 0.4, place: 'the CPUs' }
  const helps: Effect = { name: 'helps', p99: 0.6 }
  const { run, on, abandoned } = simulate(71, invent(createRandom(71), { calm: true }))
  const { kept, trials } = await run([contested, same, helps])
  t.deepEqual(trials.map(({ decision, reason }) => [decision, reason]).slice(0, 2), [
    ['interfered', 'someone else has set contested'],
    ['interfered', 'someone else sets what it would set'],
  ])
  t.true((trials[0]?.pairs.length ?? 0) > 0)
  t.is(trials[1]?.pairs.length, 0)
  t.deepEqual(abandoned, [contested])
  t.deepEqual(kept, [helps])
  t.deepEqual([...on], [helps])
})

test('a slice in which somebody else turned the setting is not used', async t => {
  // In the first slice with it, or in the one before that.
  for (const takenAt of [3000, 3100, 3200, 3300, 3400, 3500, 3600]) {
    const contested: Effect = { name: 'contested', p99: 0.5, takenAt }
    const { trials, kept } = await simulate(72).run([contested])
    t.is(trials[0]?.decision, 'interfered')
    t.deepEqual(kept, [])
    // 100 ms to settle and 300 ms to look, twice, and the eight slices before.
    t.true((trials[0]?.pairs.length ?? 9) <= (takenAt - 2400) / 800, `${takenAt}`)
  }
})

test('what has no effect since somebody else has set it meanwhile is told as that', async t => {
  const contested: Effect = { name: 'contested', p99: 0.5 }
  Object.defineProperty(contested, 'missing', {
    get: () => {
      contested.takenAt = 0
      return 'no effect seen'
    },
  })
  const { trials } = await simulate(76).run([contested])
  t.is(trials[0]?.decision, 'interfered')
  t.is(trials[0]?.reason, 'someone else has set contested')
})

test('what was kept counts no more when somebody else sets it later, and the trial beside it begins anew', async t => {
  const first: Effect = { name: 'first', p99: 0.5 }
  const second: Effect = { name: 'second', p99: 0.6 }
  let startedAt = 0
  const { run, on, now } = simulate(73, invent(createRandom(73), { calm: true }))
  const { kept, trials, whole } = await run([first, second], {
    minutes: 5,
    onStep: ({ candidate }) => {
      if (candidate !== second || startedAt > 0) return
      startedAt = now()
      first.takenAt = startedAt + 3000
    },
  })
  t.deepEqual(
    trials.map(({ decision }) => decision),
    ['interfered', 'kept'],
  )
  t.is(trials[0]?.reason, 'someone else has set first')
  t.deepEqual(kept, [second])
  t.deepEqual([...on], [second])
  t.true((whole?.goal.estimate ?? 0) > 0.5, 'of the second alone')
  t.true(
    trials[1]?.pairs.every(({ off }) => off.p99 > 250_000),
    'no pair is of the time with the first',
  )
})

test('what somebody else sets while all is compared with nothing is not told as kept', async t => {
  const other: Effect = { name: 'other', p99: 1 }
  const runUntil = async (takenAt?: number) => {
    const helps: Effect = { name: 'helps', p99: 0.5, ...(takenAt !== undefined && { takenAt }) }
    const { run, on, now } = simulate(74)
    const { kept, trials, whole } = await run([helps, other])
    return { kept, whole, on, end: now(), decision: trials[0]?.decision }
  }
  const undisturbed = await runUntil()
  t.is(undisturbed.kept.length, 1)
  // In the last slice of that.
  const { kept, whole, on, decision } = await runUntil(undisturbed.end - 300)
  t.deepEqual(kept, [])
  t.is(whole, null)
  t.is(decision, 'interfered')
  t.is(on.size, 0)
})

test('slices whose counts miss too many requests are not used, and that is said', async t => {
  const { trials, kept } = await simulate(75).run([{ name: 'loses', p99: 0.5, lost: 0.01 }])
  t.deepEqual(kept, [])
  t.is(trials[0]?.pairs.length, 0)
  t.regex(trials[0]?.reason ?? '', /^\d+ events were lost in a slice of \d+ requests, too many to go by it/)
  const few = await simulate(75).run([{ name: 'loses few', p99: 0.5, lost: 0.0005 }])
  t.is(few.kept.length, 1)
})

test('what is not surely met without a setting is not given back', async t => {
  // Without the second, the target is met in about half of the slices.
  for (const seed of [81, 82, 83, 84, 85, 86]) {
    const most: Effect = { name: 'most', p99: 0.5 }
    const rest: Effect = { name: 'rest', p99: 0.8 }
    const { run } = simulate(seed, invent(createRandom(seed), { calm: true }))
    const { kept, trials } = await run([most, rest], {
      minutes: 6,
      target: { quantity: 'p99', ns: 196_000 },
    })
    const given = trials.filter(({ reason }) => reason === 'the target is reached without it')
    t.deepEqual(given, [], `seed ${seed}`)
    t.true(kept.length > 0)
  }
})

test('each step is told, the last ones too', async t => {
  const several: Effect[] = [
    { name: 'one', p99: 0.6 },
    { name: 'two', p99: 0.6 },
  ]
  const steps: string[] = []
  const { run } = simulate(91, invent(createRandom(91), { calm: true }))
  await run(several, {
    minutes: 6,
    target: { quantity: 'p99', ns: 150_000 },
    onStep: ({ is, candidate, number, of }) =>
      steps.push(`${is} ${candidate?.name ?? 'all'} ${number}/${of}`),
  })
  t.deepEqual(steps, [
    'trial one 1/2',
    'trial two 2/2',
    'leaving-out one 1/1',
    'giving-back one 1/2',
    'giving-back two 2/2',
    'confirming all 1/1',
  ])
})

test('how many pairs a step has is told with each more', async t => {
  const counts: number[][] = []
  const { trials } = await simulate(92).run([nothing('a'), nothing('b')], {
    onStep: () => counts.push([]),
    onPair: pairs => counts.at(-1)?.push(pairs),
  })
  t.deepEqual(
    counts,
    trials.map(({ pairs }) => pairs.map((_, index) => index + 1)),
  )
})
