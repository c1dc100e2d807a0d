/** A value with its flags and the number of the change that made it. */
export type Item = { value: Buffer; flags: number; cas: number }

type StoredItem = Item & { expiresAt: number }

/** What an item costs besides its key and value, roughly. */
const ITEM_OVERHEAD_BYTES = 64

/** Seconds above which an expiry is a date and not a delay, as memcached has it. */
const MAX_RELATIVE_SECONDS = 30 * 24 * 60 * 60

/** Values by key in at most `limitBytes`; to make room, the one used longest ago goes. */
export class Store {
  readonly limitBytes: number
  bytes = 0
  evictions = 0
  readonly #items = new Map<string, StoredItem>()
  #cas = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get size(): number {
    return this.#items.size
  }

  /** Gives the item, or null when there is none or its time is over. */
  get(key: string): Item | null {
    const item = this.#items.get(key)
    if (item === undefined) return null
    this.#remove(key, item)
    if (item.expiresAt <= Date.now()) return null
    // Back at the end of the map: the first is the one used longest ago.
    this.#add(key, item)
    return item
  }

  /** Keeps a value; `expireSeconds` as in memcached: 0 for ever, negative never, else a delay or a date. */
  set(key: string, value: Buffer, flags: number, expireSeconds: number): void {
    this.delete(key)
    this.#add(key, { value, flags, cas: ++this.#cas, expiresAt: toExpiry(expireSeconds) })
    for (const [oldest, item] of this.#items) {
      if (this.bytes <= this.limitBytes) break
      this.#remove(oldest, item)
      this.evictions++
    }
  }

  /** Removes an item, and tells whether there was one. */
  delete(key: string): boolean {
    const item = this.#items.get(key)
    if (item === undefined) return false
    this.#remove(key, item)
    return item.expiresAt > Date.now()
  }

  #add(key: string, item: StoredItem): void {
    this.#items.set(key, item)
    this.bytes += sizeOf(key, item)
  }

  #remove(key: string, item: StoredItem): void {
    this.#items.delete(key)
    this.bytes -= sizeOf(key, item)
  }
}

const sizeOf = (key: string, { value }: Item): number => key.length + value.length + ITEM_OVERHEAD_BYTES

const toExpiry = (seconds: number): number => {
  if (seconds === 0) return Number.POSITIVE_INFINITY
  if (seconds < 0) return 0
  return seconds > MAX_RELATIVE_SECONDS ? seconds * 1000 : Date.now() + seconds * 1000
}
