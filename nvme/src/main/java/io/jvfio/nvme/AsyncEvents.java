// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import io.jvfio.Interrupt;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Has the controller tell its events, and tells them on. Safe for use by several threads. */
final class AsyncEvents {
  private static final int CRITICAL_WARNINGS = 0x1f;

  /** Namespace attributes and firmware activation. */
  private static final int NOTICES = 3 << 8;

  private final Controller controller;
  private volatile @Nullable NvmeEventHandler handler;
  private @Nullable Interrupt interrupt;

  AsyncEvents(Controller controller) {
    this.controller = controller;
  }

  /** Has events told to a handler, by interrupt where the admin queue has one. */
  void handle(NvmeEventHandler newHandler) {
    handler = newHandler;
    controller.run(
        () -> {
          var startup = controller.startup();
          var identity = startup.identity();
          int events = CRITICAL_WARNINGS | (identity.optionalAsyncEvents() & NOTICES);
          startup.requestEvents(identity.maxAsyncEvents(), events);
          var vector = startup.vectors().admin();
          if (vector != null && interrupt == null) {
            interrupt = vector;
            vector.handle(_ -> poll());
          }
        });
    // What came in before there was a handler.
    poll();
  }

  /** Takes the events there are, tells them, and asks for the next. */
  int poll() {
    var target = handler;
    if (target == null) {
      return 0;
    }
    List<Integer> events = controller.takeEvents();
    for (int event : events) {
      target.occurred(NvmeEvent.of(event));
    }
    return events.size();
  }

  /** Ends the handler, which is not being called any more when this returns. */
  void close() {
    handler = null;
    var vector = interrupt;
    if (vector != null) {
      interrupt = null;
      controller.unhandle(vector);
    }
  }
}
