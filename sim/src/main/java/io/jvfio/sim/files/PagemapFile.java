// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import io.jvfio.sim.setup.HostSettings;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * {@code /proc/self/pagemap}: eight bytes for each page of the address space. Source: {@code
 * Documentation/admin-guide/mm/pagemap.rst}.
 */
public final class PagemapFile extends OpenFile {
  private static final long PRESENT = 1L << 63;
  private static final int ENTRY = 8;

  private final HostProcess process;

  public PagemapFile(HostProcess process) {
    super("/proc/" + process.settings().pid + "/pagemap");
    this.process = process;
  }

  @Override
  public long pread(MemorySegment target, long offset) {
    if (offset % ENTRY != 0 || target.byteSize() % ENTRY != 0) {
      return Errno.EINVAL.result();
    }
    int pageSize = process.pageSize();
    boolean showsNumbers = process.has(HostSettings.CAP_SYS_ADMIN);
    int count = (int) Math.min(target.byteSize() / ENTRY, Integer.MAX_VALUE);
    var addresses = process.memory().physicalAddresses(offset / ENTRY * pageSize, count);
    for (int i = 0; i < count; i++) {
      long physical = addresses[i];
      long entry = physical < 0 ? 0 : PRESENT | (showsNumbers ? physical / pageSize : 0);
      target.set(ValueLayout.JAVA_LONG_UNALIGNED, (long) i * ENTRY, entry);
    }
    return (long) count * ENTRY;
  }
}
