// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

/**
 * Hears of the clients of a {@link VfioUserServer}. Methods are called by the server's threads,
 * which wait meanwhile.
 */
public interface VfioUserServerListener {
  /** A client has connected, and a version is agreed. */
  default void clientCame() {}

  /**
   * A client has gone.
   *
   * @param reason why, as a sentence
   * @param messages how many it had sent
   */
  default void clientLeft(String reason, long messages) {}

  /**
   * A command was answered with an error.
   *
   * @param command its name, or its number where it has none
   * @param reason why, in words
   */
  default void refused(String command, String reason) {}
}
