// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.user.wire.MessageFramer;

/**
 * The file that a conversation is kept in; docs/vfio-user-tools.md describes it.
 *
 * <pre>
 * file:       magic (8) | version (4) | byte order (4) | start (8)
 * record:     byte size (4) | kind (1) | flags (1) | descriptors (2) | connection (4) | zero (4) | nanos (8)
 *             then its descriptors, then the bytes of the message or of a text
 * descriptor: kind (1) | length of name (1) | zero (6) | byte size (8) | name
 * </pre>
 */
final class RecordingFormat {
  /** {@code jvfiousr}, as it is in the file. */
  static final long MAGIC = 0x7273_756f_6966_766aL;

  static final int VERSION = 1;

  /** In the byte order of the messages. */
  static final int ORDER = 0x01020304;

  static final int FILE_HEADER = 24;
  static final int RECORD_HEADER = 24;
  static final int DESCRIPTOR_HEADER = 16;

  static final int CONNECTED = 1;
  static final int MESSAGE = 2;
  static final int DISCONNECTED = 3;

  static final int TO_CLIENT = 1;
  static final int TWIN = 2;

  static final int MAX_NAME = 255;

  /** The longest record: a message with as many descriptors as there can be. */
  static final int MAX_RECORD =
      RECORD_HEADER + MessageFramer.MAX_MESSAGE + 253 * (DESCRIPTOR_HEADER + MAX_NAME);

  private RecordingFormat() {}
}
