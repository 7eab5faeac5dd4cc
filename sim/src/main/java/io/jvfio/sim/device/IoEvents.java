// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.EventFile;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.KernelWatch;
import io.jvfio.sim.setup.KernelEra;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes to a device's BARs that eventfds cause. Source: {@code vfio_pci_ioeventfd} in {@code
 * drivers/vfio/pci/vfio_pci_rdwr.c}.
 */
final class IoEvents {
  private static final int MOST = 1000;

  private final HostProcess process;
  private final VfioPci pci;
  private final List<Entry> entries = new ArrayList<>();

  private record Entry(int bar, long offset, int width, long value, KernelWatch watch) {
    boolean is(int otherBar, long otherOffset, int otherWidth, long otherValue) {
      return bar == otherBar && offset == otherOffset && width == otherWidth && value == otherValue;
    }
  }

  IoEvents(HostProcess process, VfioPci pci) {
    this.process = process;
    this.pci = pci;
  }

  int count() {
    return entries.size();
  }

  /** What a kernel of 64 bits can do is not what VFIO lets it. */
  private boolean writesLongs() {
    return process.era() == KernelEra.LINUX_6_12;
  }

  /** Adds one, or removes it if {@code fd} is -1. */
  int set(int index, long offset, int width, long value, int fd) {
    var bar = pci.bar(index);
    if (bar == null
        || offset + width > bar.byteSize()
        || pci.isMsixTable(index, offset, width)
        || (width == Long.BYTES && !writesLongs())) {
      return Errno.EINVAL.result();
    }
    for (var entry : entries) {
      if (entry.is(index, offset, width, value)) {
        if (fd != -1) {
          return Errno.EEXIST.result();
        }
        entry.watch.end();
        entries.remove(entry);
        return 0;
      }
    }
    if (fd < 0) {
      return Errno.ENODEV.result();
    }
    if (entries.size() >= MOST) {
      return Errno.ENOSPC.result();
    }
    int error = EventFile.refusal(process, fd);
    if (error != 0) {
      return error;
    }
    var event = EventFile.of(process, fd);
    var watch = KernelWatch.begin(event, () -> pci.writeIfEnabled(bar, offset, width, value));
    entries.add(new Entry(index, offset, width, value, watch));
    return 0;
  }

  /** Removes all: the last file is closed. */
  void close() {
    entries.forEach(entry -> entry.watch.end());
    entries.clear();
  }
}
