// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import java.util.List;

/**
 * The eventfds of a region, and the owner of their descriptors. Safe for use by several threads.
 */
public interface RegionEvents extends AutoCloseable {
  /** Those that there are, in the order in which the server tells them. */
  List<RegionEvent> all();

  /** Closes the descriptors, and ends access to the shadows. Idempotent. */
  @Override
  void close();
}
