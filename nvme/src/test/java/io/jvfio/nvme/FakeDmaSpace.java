// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.AddressVerdict;
import io.jvfio.BufferOptions;
import io.jvfio.DirtyTracking;
import io.jvfio.DmaAccess;
import io.jvfio.DmaBuffer;
import io.jvfio.DmaEstimate;
import io.jvfio.DmaLayout;
import io.jvfio.DmaMapping;
import io.jvfio.DmaRegistration;
import io.jvfio.DmaSpace;
import io.jvfio.DmaWindow;
import io.jvfio.DynamicWindows;
import io.jvfio.Ioas;
import io.jvfio.IommuType;
import io.jvfio.MapOptions;
import io.jvfio.model.DmaFaultException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentSkipListMap;

/** Device memory by a table of what is mapped where; each buffer has a hole behind it. */
final class FakeDmaSpace implements DmaSpace {
  private static final long PAGE_SIZE = 4096;

  /** What the IOMMU is told to be. */
  IommuType type = IommuType.TYPE1V2;

  /** Address of the next buffer. */
  long nextIova = 0x10_0000;

  private final FakeDevice device;
  private final ConcurrentSkipListMap<Long, MemorySegment> mapped = new ConcurrentSkipListMap<>();

  FakeDmaSpace(FakeDevice device) {
    this.device = device;
  }

  /** Buffers not yet closed. */
  int openBuffers() {
    return mapped.size();
  }

  /** Takes the memory away from the device, though the buffer stays open. */
  void unmap(DmaBuffer buffer) {
    mapped.remove(buffer.iova());
  }

  MemorySegment find(long iova, long byteSize, boolean isBusMaster) throws DmaFaultException {
    var entry = mapped.floorEntry(iova);
    if (!isBusMaster || entry == null) {
      throw new DmaFaultException(iova, isBusMaster ? "not mapped" : "not a bus master");
    }
    long offset = iova - entry.getKey();
    if (offset + byteSize > entry.getValue().byteSize()) {
      throw new DmaFaultException(iova, "not mapped");
    }
    return entry.getValue().asSlice(offset, byteSize);
  }

  @Override
  public IommuType type() {
    return type;
  }

  @Override
  public List<DmaWindow> windows() {
    return List.of(new DmaWindow(0, -1, PAGE_SIZE));
  }

  @Override
  public DmaLayout layout() {
    throw new UnsupportedOperationException();
  }

  @Override
  public AddressVerdict explain(long iova, long byteSize) {
    throw new UnsupportedOperationException();
  }

  @Override
  public DmaEstimate estimate(long byteSize, MapOptions options) {
    throw new UnsupportedOperationException();
  }

  @Override
  public DmaMapping map(MemorySegment segment, MapOptions options) {
    throw new UnsupportedOperationException();
  }

  @Override
  public DmaRegistration register(MemorySegment segment) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Optional<DynamicWindows> dynamicWindows() {
    return Optional.empty();
  }

  @Override
  public Optional<Ioas> ioas() {
    return Optional.empty();
  }

  @Override
  public DirtyTracking trackDirtyPages() {
    throw new UnsupportedOperationException();
  }

  /** Threads allocate at the same time, and each needs addresses of its own. */
  private synchronized long takeIova(long byteSize) {
    long iova = nextIova;
    nextIova += byteSize;
    return iova;
  }

  @Override
  public DmaBuffer allocate(long byteSize, BufferOptions options) {
    device.access("allocate");
    long rounded = (byteSize + PAGE_SIZE - 1) & -PAGE_SIZE;
    var arena = Arena.ofShared();
    var segment = arena.allocate(rounded, PAGE_SIZE);
    long iova = takeIova(rounded + PAGE_SIZE);
    mapped.put(iova, segment);
    return new DmaBuffer() {
      private boolean isClosed;

      @Override
      public MemorySegment segment() {
        return segment;
      }

      @Override
      public long iova() {
        if (isClosed) {
          throw new IllegalStateException("the buffer is closed");
        }
        return iova;
      }

      @Override
      public DmaAccess access() {
        return DmaAccess.READ_WRITE;
      }

      @Override
      public boolean isMapped() {
        return !isClosed;
      }

      @Override
      public void unmap() {
        throw new UnsupportedOperationException();
      }

      @Override
      public void map() {
        throw new UnsupportedOperationException();
      }

      @Override
      public void rebase(MemorySegment memory) {
        throw new UnsupportedOperationException();
      }

      @Override
      public long pageSize() {
        return PAGE_SIZE;
      }

      @Override
      public Optional<String> fallback() {
        return Optional.empty();
      }

      @Override
      public OptionalInt fileDescriptor() {
        return OptionalInt.empty();
      }

      @Override
      public void close() {
        if (!isClosed) {
          isClosed = true;
          mapped.remove(iova);
          device.journal.add("free" + (device.isBusMaster() ? " while bus master" : ""));
          arena.close();
        }
      }
    };
  }

  @Override
  public void close() {
    mapped.clear();
  }
}
