import { type LinkHandle, type LinkInfo, native } from './native.js'

/** Where links are kept until they are closed. */
export interface LinkOwner {
  readonly links: Set<Link>
}

/**
 * A program's attachment. It belongs to the object of the program: closing that closes the link, and as long as
 * either can be reached the program stays attached. Closing detaches, unless the link is pinned.
 */
export class Link implements Disposable {
  /** For subclasses. */
  protected readonly handle: LinkHandle
  readonly #owner: LinkOwner

  /** Programs make their links; see `Program.attach`. */
  constructor(handle: LinkHandle, owner: LinkOwner) {
    this.handle = handle
    this.#owner = owner
    owner.links.add(this)
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return native.isClosed(this.handle)
  }

  /** The path it is pinned at, undefined when it is not. */
  get pinPath(): string | undefined {
    return native.linkPinPath(this.handle)
  }

  /**
   * Closes the link, which detaches the program unless the link is pinned; harmless when done again. Throws a
   * BpfError when the kernel refuses to remove a tc filter: the link then stays open, to be closed later.
   */
  close(): void {
    native.closeHandle(this.handle)
    this.#owner.links.delete(this)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * Detaches the program, even where the link is pinned; harmless when done again. Where the kernel can't force a
   * kind of link off, it is unpinned and closed instead.
   */
  detach(): void {
    if (this.closed || native.linkDetach(this.handle)) {
      return
    }

    if (this.pinPath !== undefined) {
      this.unpin()
    }

    this.close()
  }

  /** Pins the link in a BPF file system, so that it outlives the process; throws a BpfError. */
  pin(path: string): void {
    native.linkPin(this.handle, path)
  }

  /** Removes the pin; throws a BpfError when there is none. */
  unpin(): void {
    native.linkUnpin(this.handle)
  }

  /** Gives the kernel's id, type and program of the link; throws a BpfError for tc filters, which have none. */
  info(): LinkInfo {
    return native.linkInfo(this.handle)
  }
}

/** An attached iterator: a program that the kernel runs over its own objects, each time it is read. */
export class Iter extends Link {
  /** Runs the iterator once and gives all that it wrote; throws a BpfError. */
  read(): Uint8Array {
    return native.iterRead(this.handle)
  }
}
