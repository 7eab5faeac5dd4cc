// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.ArrayList;
import java.util.Set;

/** Capabilities as text, with the numbers that people know by their hexadecimal digits in these. */
final class CapabilityText {
  private static final Set<String> HEXADECIMAL =
      Set.of(
          "vendor",
          "device",
          "vendorCapability",
          "id",
          "serial",
          "tableOffset",
          "pendingOffset",
          "laneErrors");

  private CapabilityText() {}

  /** Its name, its place, and then its parts as records write them. */
  static <T extends Record & PciCapability> String of(T capability) {
    var parts = new ArrayList<String>();
    parts.add("%s at 0x%x".formatted(capability.name(), capability.offset()));
    for (var component : capability.getClass().getRecordComponents()) {
      var name = component.getName();
      if (!name.equals("offset")) {
        try {
          var value = component.getAccessor().invoke(capability);
          parts.add(name + "=" + (HEXADECIMAL.contains(name) ? hexadecimal(value) : value));
        } catch (ReflectiveOperationException e) {
          throw new LinkageError("the parts of a public record can be read", e);
        }
      }
    }
    return String.join(", ", parts);
  }

  private static String hexadecimal(Object number) {
    return "0x"
        + (number instanceof Long wide
            ? Long.toHexString(wide)
            : Integer.toHexString((Integer) number));
  }
}
