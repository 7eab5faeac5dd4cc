// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.DmaAccess;
import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.OpenFile;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.spi.Explanation;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * One container or one IOAS, and the rules in which IOMMUs differ. What all have in common is in
 * the DMA space, which checks addresses before a domain is asked, and holds its lock around every
 * call.
 *
 * <p>{@link #map} and {@link #unmap} allocate nothing.
 */
public abstract sealed class IommuDomain permits ContainerDomain, IoasDomain, ConnectionDomain {
  private final IommuType type;
  private final Locking locking;
  private final Kernel kernel;
  private final Explanations explanations;

  /** What is locked ahead; empty in a domain that locks in another way. */
  private final Registrations registrations;

  IommuDomain(IommuType type, Locking locking, Kernel kernel, Explanations explanations) {
    this.type = type;
    this.locking = locking;
    this.kernel = kernel;
    this.explanations = explanations;
    this.registrations = new Registrations(kernel.pageSize(), this::lock, this::unlock);
  }

  public final IommuType type() {
    return type;
  }

  /** When mapped memory is locked, and who pays for it. */
  public final Locking locking() {
    return locking;
  }

  final Kernel kernel() {
    return kernel;
  }

  final Explanations explanations() {
    return explanations;
  }

  /** Where the ioctls go. */
  abstract OpenFile file();

  /** Learns what the IOMMU can do, without changing anything. */
  public abstract void describe() throws Refusal;

  /** Makes mapping possible, as far as that takes a call of its own. */
  public abstract void enable() throws Refusal;

  /** The valid ranges, in no particular order. */
  public abstract List<DmaWindow> windows();

  /**
   * Maps memory at {@code iova}; on refusal nothing is left mapped.
   *
   * @param address where this process has {@code memory}
   */
  public abstract void map(
      MemorySegment memory, long address, long iova, long byteSize, DmaAccess access)
      throws Refusal;

  /** Unmaps exactly what {@link #map} mapped; on refusal the device may still reach the memory. */
  public abstract void unmap(long iova, long byteSize) throws Refusal;

  /**
   * Maps a memory file, which outlives the address space that it was mapped in.
   *
   * @param address where this process has it
   * @return whether the IOMMU can; if not, nothing has changed
   */
  public boolean mapFile(int fd, long address, long iova, long byteSize, DmaAccess access)
      throws Refusal {
    return false;
  }

  /** Whether memory files are far better to reach than other memory, so that buffers are such. */
  public boolean wantsFiles() {
    return false;
  }

  /**
   * Unmaps everything in one call.
   *
   * @return whether the IOMMU has such a call
   */
  public boolean unmapAll() throws Refusal {
    return false;
  }

  /** How many mappings there may be. */
  public EntryLimit entryLimit() {
    return EntryLimit.UNLIMITED;
  }

  /** Whether the addresses of a device are ours to choose; otherwise they are physical ones. */
  public final boolean translates() {
    return type != IommuType.NOIOMMU;
  }

  /** Where memory is, for an IOMMU that does not translate. */
  public long physicalAddress(long address, long byteSize) throws Refusal {
    throw new IllegalStateException(type + " translates");
  }

  /**
   * Locks memory {@linkplain Locking#AHEAD ahead}, for as long as it takes until {@link #release};
   * called once for each mapping and each registration, before the first {@link #map}.
   */
  public final void acquire(long address, long byteSize) throws Refusal {
    if (locking == Locking.AHEAD) {
      registrations.acquire(address, byteSize);
    }
  }

  /** Undoes {@link #acquire}. */
  public final void release(long address, long byteSize) throws Refusal {
    if (locking == Locking.AHEAD) {
      registrations.release(address, byteSize);
    }
  }

  /** How many bytes would be locked on top if this memory were mapped. */
  public final long lockedBytes(long address, long byteSize) {
    return locking == Locking.AHEAD
        ? registrations.missing(address, byteSize)
        : locking.bytes(byteSize);
  }

  /** Locks whole pages of which none is locked yet. */
  void lock(long address, long byteSize) throws Refusal {
    throw new IllegalStateException(type + " locks nothing ahead");
  }

  /** Unlocks exactly what {@link #lock} locked. */
  void unlock(long address, long byteSize) throws Refusal {
    throw new IllegalStateException(type + " locks nothing ahead");
  }

  /**
   * Moves a mapping from memory at {@code address} to memory at {@code other} with the same
   * content, without the device noticing. On refusal it stays where it was, if the kernel lets it.
   *
   * @return whether the IOMMU can
   */
  public boolean exchange(long address, long other, long iova, long byteSize) throws Refusal {
    return false;
  }

  /** Starts or stops dirty tracking. */
  public void trackDirtyPages(boolean on) throws Refusal {
    throw Refusal.notAsked(
        "track dirty pages",
        new Explanation(
            "IOMMU type %s has no dirty tracking.".formatted(type),
            "Take every page for written, or track in the device."));
  }

  /** The bytes that one bit of {@link #readDirtyPages} stands for. */
  public long dirtyPageSize() {
    return kernel.pageSize();
  }

  /** Fills {@code bitmap}, which is zeroed, with the dirty pages of one mapping. */
  public void readDirtyPages(long iova, long byteSize, MemorySegment bitmap) throws Refusal {
    throw new IllegalStateException(type + " has no dirty tracking");
  }

  /** Says what an error of one call means. */
  @FunctionalInterface
  interface Explainer {
    Explanation explain(Errno errno);
  }

  /** An ioctl of which only 0 is success. */
  final void call(Ioctl command, MemorySegment struct, Explainer explainer) throws Refusal {
    int result = file().ioctl(command, struct);
    if (result != 0) {
      throw refusal(command, result, explainer);
    }
  }

  static Refusal refusal(Ioctl command, int result, Explainer explainer) {
    return result < 0
        ? Refusal.answered(command, result, explainer.explain(Errno.ofResult(result)))
        : Refusal.answered(command, result, Explanations.positiveResult(result));
  }
}
