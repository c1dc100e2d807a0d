/** A horizontal bar for a share from 0 to 1 of as many columns, in halves; what is not nothing shows at least a half. */
export const formatBar = (share: number, columns: number): string => {
  const halves = Math.min(columns * 2, Math.round(share * columns * 2))
  const shown = share > 0 && columns > 0 ? Math.max(1, halves) : 0
  return '█'.repeat(Math.floor(shown / 2)) + '▌'.repeat(shown % 2)
}
