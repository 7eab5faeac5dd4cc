package io.jvfio;

import io.jvfio.linux.Kernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What all IOMMU types of a container share: buffers, their memory, and the order in which both are
 * given back.
 *
 * <p>A buffer goes through: memory, mapping, use; then no more access from Java, no more access
 * from the device, and only then is the memory freed. If the kernel refuses to unmap, the memory
 * stays until the group has left the container, since the device may still write to it.
 *
 * <p>One lock guards the state of a space and of its buffers; nothing else is called while holding
 * it but the kernel.
 */
abstract sealed class ContainerSpace implements DmaSpace permits IovaSpace, NoIommuSpace {
  private final IommuType type;
  private final OpenContainer container;
  private final Set<Buffer> buffers = new LinkedHashSet<>();
  private boolean closed;

  ContainerSpace(IommuType type, OpenContainer container) {
    this.type = type;
    this.container = container;
  }

  /** Learns what the IOMMU can do, without changing anything. */
  abstract void describe() throws Refusal;

  /** Makes mapping possible, as far as that takes a call of its own. */
  abstract void enable() throws Refusal;

  /**
   * Makes memory reachable for the device.
   *
   * @return the address for the device; on refusal nothing is left mapped or locked
   */
  abstract long map(long address, long byteSize) throws Refusal;

  /** Undoes {@link #map}; on refusal the device may still reach the memory. */
  abstract void unmap(long address, long iova, long byteSize) throws Refusal;

  @Override
  public final IommuType type() {
    return type;
  }

  final OpenContainer container() {
    return container;
  }

  final Kernel kernel() {
    return container.kernel();
  }

  final Explanations explanations() {
    return container.explanations();
  }

  /** Maps and unmaps one page: the proof that the type works here. */
  final void tryOnePage() throws Refusal {
    allocateBuffer(1).giveBack();
  }

  @Override
  public final DmaBuffer allocate(long byteSize) {
    if (byteSize < 1) {
      throw new IllegalArgumentException("a DMA buffer has at least 1 byte, not " + byteSize);
    }
    try {
      return allocateBuffer(byteSize);
    } catch (Refusal e) {
      throw e.of(subject());
    }
  }

  private synchronized Buffer allocateBuffer(long byteSize) throws Refusal {
    if (closed) {
      throw new IllegalStateException("the DMA space of " + subject() + " is closed");
    }
    long pageSize = kernel().pageSize();
    if (byteSize > Long.MAX_VALUE - pageSize) {
      throw new IllegalArgumentException(
          "no address space has room for %,d bytes".formatted(byteSize));
    }
    long rounded = (byteSize + pageSize - 1) & -pageSize;
    long address =
        kernel()
            .mmap(
                rounded,
                Kernel.PROT_READ | Kernel.PROT_WRITE,
                Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS,
                -1,
                0);
    if (address < 0) {
      throw Refusal.answered(
          "mmap",
          address,
          new Explanation(
              "The kernel has no memory for a buffer of %,d bytes.".formatted(rounded),
              "Free memory on this machine."));
    }
    boolean mapped = false;
    try {
      long iova = map(address, rounded);
      mapped = true;
      var buffer = new Buffer(address, iova, rounded);
      buffers.add(buffer);
      return buffer;
    } finally {
      if (!mapped) {
        free(address, rounded);
      }
    }
  }

  private void free(long address, long byteSize) {
    int result = kernel().munmap(address, byteSize);
    if (result < 0) {
      throw Refusal.answered(
              "munmap", result, new Explanation("The memory of a buffer could not be freed.", ""))
          .of(subject());
    }
  }

  @Override
  public final void close() {
    List<Buffer> open;
    synchronized (this) {
      closed = true;
      open = new ArrayList<>(buffers);
    }
    try (var steps = new Cleanup()) {
      open.forEach(buffer -> steps.add(buffer::close));
    }
  }

  final String subject() {
    return container.group().label() + ", IOMMU type " + type;
  }

  private final class Buffer implements DmaBuffer {
    private final Arena lifetime = Arena.ofShared();
    private final MemorySegment segment;
    private final long iova;
    private boolean given;

    Buffer(long address, long iova, long byteSize) {
      this.segment = kernel().memory(address, byteSize, lifetime);
      this.iova = iova;
    }

    @Override
    public MemorySegment segment() {
      return segment;
    }

    @Override
    public long iova() {
      return iova;
    }

    @Override
    public void close() {
      try {
        giveBack();
      } catch (Refusal e) {
        throw e.of(subject() + ", buffer at IOVA 0x" + Long.toHexString(iova));
      }
    }

    /** Gives mapping and memory back, once. */
    void giveBack() throws Refusal {
      synchronized (ContainerSpace.this) {
        if (given) {
          return;
        }
        lifetime.close(); // throws, and changes nothing, while a call of another thread uses the
        // segment
        given = true;
        buffers.remove(this);
        long address = segment.address();
        long byteSize = segment.byteSize();
        @Nullable Refusal refusal = null;
        try {
          unmap(address, iova, byteSize);
        } catch (Refusal e) {
          refusal = e;
        }
        if (refusal != null) {
          container.afterDetach(() -> free(address, byteSize));
          throw refusal;
        }
        free(address, byteSize);
      }
    }

    @Override
    public String toString() {
      return "DMA buffer of %,d bytes at IOVA 0x%x".formatted(segment.byteSize(), iova);
    }
  }
}
