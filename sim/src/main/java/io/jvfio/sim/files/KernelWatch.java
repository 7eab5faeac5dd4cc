// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.sim.setup.KernelEra;
import org.jspecify.annotations.Nullable;

/**
 * An eventfd whose signals make the kernel do something. Old kernels leave the count to whoever
 * reads it, others take it. It ends with the eventfd. Source: {@code drivers/vfio/virqfd.c}.
 */
public final class KernelWatch implements PollableFile.Watcher {
  private final Runnable action;
  private final boolean takes;
  private @Nullable EventFile file;

  private KernelWatch(EventFile file, Runnable action) {
    this.takes = file.process().era() != KernelEra.LINUX_5_10;
    this.file = file;
    this.action = action;
  }

  /** Begins; what was signalled before counts, and is left for others to read. */
  public static KernelWatch begin(EventFile file, Runnable action) {
    var watch = new KernelWatch(file, action);
    file.watch(watch);
    if (file.isReadable()) {
      action.run();
    }
    return watch;
  }

  public boolean isActive() {
    return file != null;
  }

  public void end() {
    if (file != null) {
      file.unwatch(this);
      file = null;
    }
  }

  @Override
  public void ready() {
    if (file != null) {
      if (takes) {
        file.take();
      }
      action.run();
    }
  }

  @Override
  public void closed() {
    end();
  }
}
