package io.jvfio.sim;

import org.jspecify.annotations.Nullable;

/**
 * An eventfd whose signals the kernel takes itself, and does something. It ends with the eventfd.
 * Source: {@code drivers/vfio/virqfd.c}.
 */
final class KernelWatch implements PollableFile.Watcher {
  private final Runnable action;
  private @Nullable EventFile file;

  private KernelWatch(EventFile file, Runnable action) {
    this.file = file;
    this.action = action;
  }

  /** Begins; what was signalled before counts, and is left for others to read. */
  static KernelWatch begin(EventFile file, Runnable action) {
    var watch = new KernelWatch(file, action);
    file.watch(watch);
    if (file.isReadable()) {
      action.run();
    }
    return watch;
  }

  boolean isActive() {
    return file != null;
  }

  void end() {
    if (file != null) {
      file.unwatch(this);
      file = null;
    }
  }

  @Override
  public void ready() {
    if (file != null) {
      file.take();
      action.run();
    }
  }

  @Override
  public void closed() {
    end();
  }
}
