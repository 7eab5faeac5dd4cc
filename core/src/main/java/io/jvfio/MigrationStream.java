// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.nio.channels.Channel;

/**
 * Data of a device that is migrated. It is closed with the device at the latest, and of no use once
 * the device has left the state that it belongs to.
 */
public sealed interface MigrationStream extends Channel permits MigrationSource, MigrationSink {
  /**
   * Closes the stream; the state of the device stays. Idempotent.
   *
   * @throws VfioException if the kernel reports an error; the descriptor is closed all the same
   */
  @Override
  void close();
}
