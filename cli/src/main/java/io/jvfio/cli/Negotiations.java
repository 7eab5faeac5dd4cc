// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.Attempt;
import io.jvfio.GroupProbe;
import io.jvfio.HostProbe;
import io.jvfio.IommuType;
import io.jvfio.Negotiation;
import io.jvfio.VfioException;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Table;
import io.jvfio.cli.output.Text;
import io.jvfio.linux.Errno;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Negotiations as text and as JSON. */
final class Negotiations {
  private Negotiations() {}

  static Map<String, Object> json(String host, HostProbe probe) {
    return Json.object(
        "host",
        host,
        "groups",
        probe.groups().stream().map(Negotiations::json).toList(),
        "common",
        probe.common().stream().map(IommuType::id).toList());
  }

  private static Map<String, Object> json(GroupProbe probe) {
    var group = probe.group();
    var negotiation = probe.negotiation();
    var json =
        Json.object(
            "id", group.id(),
            "devices", group.devices().stream().map(device -> device.address().toString()).toList(),
            "viable", group.isViable(),
            "attempts", negotiation.attempts().stream().map(Negotiations::json).toList(),
            "chosen", negotiation.chosen().map(IommuType::id));
    if (!negotiation.leftOut().isEmpty()) {
      json.put("leftOut", negotiation.leftOut().stream().map(Negotiations::json).toList());
    }
    negotiation
        .failure()
        .map(VfioException::getMessage)
        .ifPresent(error -> json.put("error", error));
    return json;
  }

  private static Map<String, Object> json(Attempt attempt) {
    return Json.object(
        "type", attempt.type().id(),
        "advertised", attempt.advertised(),
        "reached", attempt.reached().id(),
        "outcome", attempt.outcome().id(),
        "call", attempt.call(),
        "errno", attempt.errno().map(Errno::symbol),
        "meaning", attempt.meaning());
  }

  static void print(Output output, GroupProbe probe) {
    var group = probe.group();
    output.line(
        "group %d: %s%s"
            .formatted(
                group.id(),
                group.devices().stream()
                    .map(device -> device.address().toString())
                    .collect(Collectors.joining(", ")),
                group.isViable() ? "" : "  (not viable)"));
    print(output, probe.negotiation());
  }

  static void print(Output output, Negotiation negotiation) {
    var told = told(negotiation);
    if (!told.isEmpty()) {
      var table = new Table("  ", "TYPE", "ADVERTISED", "REACHED", "OUTCOME", "CALL", "ERRNO");
      for (var attempt : told) {
        table.row(
            attempt.type().id(),
            attempt.advertised() ? "yes" : "no",
            attempt.reached().id(),
            attempt.outcome().id(),
            attempt.call().orElse("-"),
            attempt.errno().map(Errno::symbol).orElse("-"));
      }
      output.table(table);
      why(told).forEach((meaning, types) -> Text.wrapped(output, "  ", types + ": " + meaning));
    }
    var unknown =
        negotiation.attempts().stream()
            .filter(attempt -> !told.contains(attempt))
            .map(Attempt::type)
            .toList();
    if (!unknown.isEmpty()) {
      output.line("  not offered by this kernel: " + names(unknown));
    }
    output.line("  chosen: " + negotiation.chosen().map(IommuType::id).orElse("none"));
    negotiation.failure().ifPresent(failure -> Text.wrapped(output, "  ", failure.getMessage()));
  }

  /**
   * The attempts worth a row: those that the kernel offered, or all if it offered none; then what
   * was left out.
   */
  private static List<Attempt> told(Negotiation negotiation) {
    var offered = negotiation.attempts().stream().filter(Attempt::isTelling).toList();
    return Stream.concat(
            (offered.isEmpty() ? negotiation.attempts() : offered).stream(),
            negotiation.leftOut().stream())
        .toList();
  }

  /** The types that did not work, by reason, so that a reason they share is told once. */
  private static Map<String, String> why(List<Attempt> attempts) {
    return attempts.stream()
        .filter(attempt -> attempt.outcome() != Attempt.Outcome.USABLE)
        .collect(
            Collectors.groupingBy(
                Attempt::meaning,
                LinkedHashMap::new,
                Collectors.mapping(attempt -> attempt.type().id(), Collectors.joining(", "))));
  }

  static String names(Collection<IommuType> types) {
    return types.stream().map(IommuType::id).collect(Collectors.joining(", "));
  }
}
