package io.jvfio;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** A space in which we choose the addresses: every IOMMU type that translates. */
abstract sealed class IovaSpace extends ContainerSpace permits Type1Space, SpaprSpace {
  private final List<DmaWindow> windows = new ArrayList<>();
  private final IovaAllocator addresses = new IovaAllocator();

  IovaSpace(IommuType type, OpenContainer container) {
    super(type, container);
  }

  /** Maps at {@code iova}; on refusal nothing is left mapped or locked. */
  abstract void mapAt(long address, long iova, long byteSize) throws Refusal;

  /** Unmaps exactly what {@link #mapAt} mapped. */
  abstract void unmapAt(long address, long iova, long byteSize) throws Refusal;

  /**
   * Makes room for {@code byteSize} bytes where no window has it.
   *
   * @return whether there is a new window
   */
  abstract boolean grow(long byteSize) throws Refusal;

  final void addWindow(DmaWindow window) {
    windows.add(window);
    addresses.add(window);
  }

  @Override
  public final synchronized List<DmaWindow> windows() {
    return windows.stream().sorted((a, b) -> Long.compareUnsigned(a.start(), b.start())).toList();
  }

  @Override
  final long map(long address, long byteSize) throws Refusal {
    long alignment = kernel().pageSize();
    for (var window : windows) {
      alignment = Math.max(alignment, window.pageSize());
    }
    long occupied = (byteSize + alignment - 1) & -alignment;
    OptionalLong found = addresses.allocate(occupied, alignment);
    if (found.isEmpty() && grow(occupied)) {
      found = addresses.allocate(occupied, alignment);
    }
    if (found.isEmpty()) {
      throw Refusal.notAsked(
          "allocate",
          new Explanation(
              "No valid IOVA range has %,d free bytes in one piece; the ranges are %s."
                  .formatted(byteSize, windows()),
              "Close buffers that are no longer needed, or use smaller ones."));
    }
    long iova = found.getAsLong();
    boolean mapped = false;
    try {
      mapAt(address, iova, byteSize);
      mapped = true;
      return iova;
    } finally {
      if (!mapped) {
        addresses.free(iova, occupied);
      }
    }
  }

  @Override
  final void unmap(long address, long iova, long byteSize) throws Refusal {
    unmapAt(address, iova, byteSize);
    long alignment = kernel().pageSize();
    addresses.free(iova, (byteSize + alignment - 1) & -alignment);
  }
}
