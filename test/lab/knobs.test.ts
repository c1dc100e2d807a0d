import { compileFrequencies, createCard, ENDS, labTest, runGuest } from './support.js'

labTest('sets knobs of real hardware, sees their effects under traffic, and puts all back', async t => {
  const card = await createCard(t, 'e1000e')
  await runGuest(t, 'knobs', { card, frequencies: await compileFrequencies(t), environment: ENDS })
})
