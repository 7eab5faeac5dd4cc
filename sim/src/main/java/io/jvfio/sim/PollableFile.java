package io.jvfio.sim;

import java.util.ArrayList;
import java.util.List;

/** An open file that can be waited for. */
abstract class PollableFile extends OpenFile {
  private final List<Watcher> watchers = new ArrayList<>();
  private final Host host;

  /** Who wants to know of a file, without keeping it open. Called with the host's monitor held. */
  interface Watcher {
    /** There is something to read, or was when this was sent. */
    void ready();

    /** The file is closed for good. */
    void closed();
  }

  PollableFile(Host host) {
    this.host = host;
  }

  /** Whether a read would find something. */
  abstract boolean isReadable();

  final Host host() {
    return host;
  }

  final void watch(Watcher watcher) {
    watchers.add(watcher);
  }

  final void unwatch(Watcher watcher) {
    watchers.remove(watcher);
  }

  /** Tells everybody who waits for it that there is something to read. */
  final void wake() {
    host.wakeWaiters();
    for (var watcher : List.copyOf(watchers)) {
      watcher.ready();
    }
  }

  @Override
  void release() {
    for (var watcher : List.copyOf(watchers)) {
      watcher.closed();
    }
  }
}
