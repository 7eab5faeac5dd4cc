// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.DmaAccess;
import io.jvfio.DmaWindow;
import io.jvfio.IommuType;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.OpenFile;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Errno;
import io.jvfio.spi.DeviceConnection;
import io.jvfio.spi.Explanation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The memory that a server reaches over its connection. Memory files it maps itself, so that is
 * what buffers are; other memory it reads and writes by asking for it, which costs a message each
 * time.
 *
 * <p>Nothing is locked for it: a server sees the same pages as this process, by its page tables.
 */
public final class ConnectionDomain extends IommuDomain {
  private static final String MAP = "VFIO_USER_DMA_MAP";
  private static final String UNMAP = "VFIO_USER_DMA_UNMAP";
  private static final int NO_FILE = -1;

  private final DeviceConnection connection;
  private final OpenFile file;

  public ConnectionDomain(DeviceConnection connection, OpenFile file, Explanations explanations) {
    super(IommuType.VFIO_USER, Locking.NEVER, connection.kernel(), explanations);
    this.connection = connection;
    this.file = file;
  }

  @Override
  OpenFile file() {
    return file;
  }

  @Override
  public void describe() {
    // limits came with the connection
  }

  @Override
  public void enable() {
    // the device reaches what is mapped
  }

  @Override
  public List<DmaWindow> windows() {
    return List.of(new DmaWindow(0, -1, Math.max(connection.pageSize(), kernel().pageSize())));
  }

  @Override
  public EntryLimit entryLimit() {
    return new EntryLimit(
        connection.mostMappings(),
        "The server takes no more (max_dma_maps): map larger pieces, or start it with a higher limit.");
  }

  @Override
  public boolean wantsFiles() {
    return true;
  }

  @Override
  public void map(MemorySegment memory, long address, long iova, long byteSize, DmaAccess access)
      throws Refusal {
    map(NO_FILE, memory, iova, access);
  }

  @Override
  public boolean mapFile(int fd, long address, long iova, long byteSize, DmaAccess access)
      throws Refusal {
    // Nobody frees the memory before it is unmapped.
    map(fd, kernel().memory(address, byteSize, Arena.global()), iova, access);
    return true;
  }

  private void map(int fd, MemorySegment memory, long iova, DmaAccess access) throws Refusal {
    int result = connection.mapDma(fd, memory, iova, access);
    if (result != 0) {
      throw refusal(MAP, result);
    }
  }

  @Override
  public void unmap(long iova, long byteSize) throws Refusal {
    int result = connection.unmapDma(iova, byteSize);
    if (result != 0) {
      throw refusal(UNMAP, result);
    }
  }

  private Refusal refusal(String call, int result) {
    return Refusal.answered(call, result, file.answers().device(Errno.ofResult(result)));
  }

  @Override
  public void trackDirtyPages(boolean on) throws Refusal {
    throw Refusal.notAsked(
        "track dirty pages",
        new Explanation(
            "A vfio-user device is the only one in its space, so the log is the device's own.",
            "Start it with VfioDevice.features().startDmaLogging()."));
  }
}
