// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE8;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Optional;
import java.util.UUID;

/**
 * The identifiers of a namespace that no other namespace has anywhere. Source: NVM Express Base
 * Specification, "Namespace Identification Descriptor list".
 *
 * @param eui64 IEEE Extended Unique Identifier, 16 hexadecimal digits
 * @param nguid Namespace Globally Unique Identifier, 32 hexadecimal digits
 * @param uuid Universally Unique Identifier
 */
public record NamespaceIdentifiers(
    Optional<String> eui64, Optional<String> nguid, Optional<UUID> uuid) {

  private static final int TYPE_EUI64 = 1;
  private static final int TYPE_NGUID = 2;
  private static final int TYPE_UUID = 3;
  private static final int EUI64_BYTES = 8;
  private static final int LONG_BYTES = 16;
  private static final int HEADER_BYTES = 4;

  static NamespaceIdentifiers decode(MemorySegment page) {
    Optional<String> eui64 = Optional.empty();
    Optional<String> nguid = Optional.empty();
    Optional<UUID> uuid = Optional.empty();
    long at = 0;
    while (at + HEADER_BYTES <= page.byteSize()) {
      int type = Byte.toUnsignedInt(page.get(LE8, at));
      int length = Byte.toUnsignedInt(page.get(LE8, at + 1));
      long value = at + HEADER_BYTES;
      if (type == 0 || length == 0 || value + length > page.byteSize()) {
        break;
      }
      byte[] bytes = page.asSlice(value, length).toArray(ValueLayout.JAVA_BYTE);
      if (type == TYPE_EUI64 && length == EUI64_BYTES) {
        eui64 = Optional.of(HexFormat.of().formatHex(bytes));
      } else if (type == TYPE_NGUID && length == LONG_BYTES) {
        nguid = Optional.of(HexFormat.of().formatHex(bytes));
      } else if (type == TYPE_UUID && length == LONG_BYTES) {
        var words = ByteBuffer.wrap(bytes);
        uuid = Optional.of(new UUID(words.getLong(), words.getLong()));
      }
      at = value + length;
    }
    return new NamespaceIdentifiers(eui64, nguid, uuid);
  }
}
