// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.PciCapability;
import io.jvfio.cli.output.Json;
import java.lang.reflect.InvocationTargetException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A capability as JSON: what all have in common, and its own fields under the names that the
 * library has for them.
 */
final class CapabilityJson {
  private CapabilityJson() {}

  static Map<String, Object> of(PciCapability capability) {
    return Json.object(
        "offset", capability.offset(),
        "id", capability.id(),
        "extended", capability.extended(),
        "name", capability.name(),
        "fields", fields(capability));
  }

  private static Map<String, Object> fields(Object values) {
    var fields = new LinkedHashMap<String, Object>();
    for (var component : values.getClass().getRecordComponents()) {
      var name = component.getName();
      if (values instanceof PciCapability && (name.equals("offset") || name.equals("id"))) {
        continue;
      }
      try {
        fields.put(name, value(component.getAccessor().invoke(values)));
      } catch (IllegalAccessException | InvocationTargetException e) {
        throw new LinkageError("a field of a public record cannot be read", e);
      }
    }
    return fields;
  }

  private static Object value(Object value) {
    return switch (value) {
      case PciCapability.Link link -> fields(link);
      case PciCapability.Choice choice -> fields(choice);
      case List<?> list -> list.stream().map(CapabilityJson::value).toList();
      case Enum<?> constant -> constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
      default -> value;
    };
  }
}
