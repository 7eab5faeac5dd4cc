// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/** An open file that can be waited for. */
public abstract class PollableFile extends OpenFile {
  private final List<Watcher> watchers = new ArrayList<>();
  private final HostProcess process;

  /** A watcher of a file, which does not keep it open. Called with the host's monitor held. */
  interface Watcher {
    /** There is something to read, or was when this was sent. */
    void ready();

    /** The file is closed for good. */
    void closed();
  }

  PollableFile(HostProcess process, String path) {
    super(path);
    this.process = process;
  }

  /** Whether a read would find something. */
  public abstract boolean isReadable();

  final HostProcess process() {
    return process;
  }

  /** Waits as {@link HostProcess#await} does, and keeps the file open meanwhile. */
  public final boolean await(BooleanSupplier condition, int timeoutMillis) {
    retain();
    try {
      return process.await(condition, timeoutMillis);
    } finally {
      drop();
    }
  }

  final void watch(Watcher watcher) {
    watchers.add(watcher);
  }

  final void unwatch(Watcher watcher) {
    watchers.remove(watcher);
  }

  /** Tells everybody who waits for it that there is something to read. */
  final void wake() {
    process.wakeWaiters();
    for (var watcher : List.copyOf(watchers)) {
      watcher.ready();
    }
  }

  @Override
  protected void release() {
    for (var watcher : List.copyOf(watchers)) {
      watcher.closed();
    }
  }
}
