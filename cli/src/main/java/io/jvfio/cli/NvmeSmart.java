// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.VfioDevice;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Table;
import io.jvfio.cli.output.Text;
import io.jvfio.nvme.ErrorLogEntry;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.SmartLog;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;

/** {@code jvfio nvme smart}. */
@Command(
    name = "smart",
    description = "Show how the controller is doing, and which commands failed.",
    mixinStandardHelpOptions = true)
final class NvmeSmart extends NvmeCommand.OnController {
  /** Bits 0 to 5 of the critical warning. */
  private static final List<String> WARNINGS =
      List.of(
          "the spare capacity is below its threshold",
          "the temperature is beyond a threshold",
          "reliability is degraded by media or internal errors",
          "all media are read-only",
          "the backup of volatile memory failed",
          "the persistent memory region is read-only or unreliable");

  private static final BigInteger BYTES_PER_UNIT = BigInteger.valueOf(512_000);
  private static final int KELVIN_AT_ZERO_CELSIUS = 273;
  private static final int NOT_A_COMMAND = 0xffff;
  private static final long WHOLE_CONTROLLER = 0xffff_ffffL;

  @Override
  void run(Output output, String host, VfioDevice device, NvmeController controller) {
    var smart = controller.smart();
    var errors = controller.errors();
    if (output.isJson()) {
      var document = NvmeCommand.json(host, device, controller);
      document.put("smart", json(smart));
      document.put("errors", errors.stream().map(NvmeSmart::json).toList());
      output.json(document);
      return;
    }
    output.line(NvmeCommand.title(device, controller));
    output.line("");
    print(output, smart);
    output.line("");
    print(output, errors);
  }

  private static List<String> warnings(SmartLog smart) {
    return IntStream.range(0, WARNINGS.size())
        .filter(bit -> (smart.criticalWarning() & 1 << bit) != 0)
        .mapToObj(WARNINGS::get)
        .toList();
  }

  static void print(Output output, SmartLog smart) {
    var warnings = warnings(smart);
    line(output, "Critical warning", warnings.isEmpty() ? "none" : String.join("; ", warnings));
    line(
        output,
        "Temperature",
        smart.temperatureKelvin() == 0 ? "not told" : smart.temperatureCelsius() + " \u00b0C");
    for (int i = 0; i < smart.temperatureSensorsKelvin().size(); i++) {
      int kelvin = smart.temperatureSensorsKelvin().get(i);
      if (kelvin != 0) {
        line(output, "  sensor " + (i + 1), kelvin - KELVIN_AT_ZERO_CELSIUS + " \u00b0C");
      }
    }
    if (smart.warningTemperatureMinutes() > 0 || smart.criticalTemperatureMinutes() > 0) {
      line(
          output,
          "Too hot",
          "%,d minutes, of which critically %,d"
              .formatted(
                  smart.warningTemperatureMinutes() + smart.criticalTemperatureMinutes(),
                  smart.criticalTemperatureMinutes()));
    }
    if (smart.thermalTransitions1() > 0 || smart.thermalTransitions2() > 0) {
      line(
          output,
          "Throttled",
          "lightly %,d times for %,d s, heavily %,d times for %,d s"
              .formatted(
                  smart.thermalTransitions1(),
                  smart.thermalSeconds1(),
                  smart.thermalTransitions2(),
                  smart.thermalSeconds2()));
    }
    line(
        output,
        "Spare capacity",
        "%d %% (threshold %d %%)"
            .formatted(smart.availableSparePercent(), smart.spareThresholdPercent()));
    line(
        output,
        "Life used",
        smart.percentageUsed() + " %" + (smart.percentageUsed() == 255 ? " or more" : ""));
    line(output, "Data read", data(smart.dataUnitsRead(), smart.hostReadCommands()));
    line(output, "Data written", data(smart.dataUnitsWritten(), smart.hostWriteCommands()));
    line(output, "Busy", "%,d minutes".formatted(smart.controllerBusyMinutes()));
    line(
        output,
        "Powered on",
        "%,d hours, %,d times, shut down unsafely %,d times"
            .formatted(smart.powerOnHours(), smart.powerCycles(), smart.unsafeShutdowns()));
    line(output, "Media errors", "%,d".formatted(smart.mediaErrors()));
  }

  private static void line(Output output, String name, String value) {
    output.line("%-18s%s".formatted(name, value));
  }

  private static String data(BigInteger units, BigInteger commands) {
    return "%s in %,d commands"
        .formatted(Text.decimalSpan(units.multiply(BYTES_PER_UNIT).doubleValue()), commands);
  }

  static void print(Output output, List<ErrorLogEntry> errors) {
    if (errors.isEmpty()) {
      output.line("The error log is empty.");
      return;
    }
    output.line("Error log, the newest first:");
    var table = new Table("  ", "ERROR", "QUEUE", "COMMAND", "NAMESPACE", "BLOCK", "STATUS");
    for (var error : errors) {
      boolean ofCommand = error.submissionQueueId() != NOT_A_COMMAND;
      long namespace = Integer.toUnsignedLong(error.namespaceId());
      table.row(
          Long.toUnsignedString(error.errorCount()),
          ofCommand ? Integer.toString(error.submissionQueueId()) : "-",
          error.commandId() == NOT_A_COMMAND ? "-" : Integer.toString(error.commandId()),
          namespace == 0 ? "-" : namespace == WHOLE_CONTROLLER ? "all" : Long.toString(namespace),
          Long.toUnsignedString(error.lba()),
          error.statusName());
    }
    output.table(table);
  }

  private static Map<String, Object> json(SmartLog smart) {
    return Json.object(
        "criticalWarnings", warnings(smart),
        "temperatureCelsius", smart.temperatureCelsius(),
        "temperatureSensorsCelsius",
            smart.temperatureSensorsKelvin().stream()
                .filter(kelvin -> kelvin != 0)
                .map(kelvin -> kelvin - KELVIN_AT_ZERO_CELSIUS)
                .toList(),
        "warningTemperatureMinutes", smart.warningTemperatureMinutes(),
        "criticalTemperatureMinutes", smart.criticalTemperatureMinutes(),
        "availableSparePercent", smart.availableSparePercent(),
        "spareThresholdPercent", smart.spareThresholdPercent(),
        "percentageUsed", smart.percentageUsed(),
        "bytesRead", smart.dataUnitsRead().multiply(BYTES_PER_UNIT),
        "bytesWritten", smart.dataUnitsWritten().multiply(BYTES_PER_UNIT),
        "readCommands", smart.hostReadCommands(),
        "writeCommands", smart.hostWriteCommands(),
        "busyMinutes", smart.controllerBusyMinutes(),
        "powerCycles", smart.powerCycles(),
        "powerOnHours", smart.powerOnHours(),
        "unsafeShutdowns", smart.unsafeShutdowns(),
        "mediaErrors", smart.mediaErrors(),
        "errorLogEntries", smart.errorLogEntries());
  }

  private static Map<String, Object> json(ErrorLogEntry error) {
    return Json.object(
        "errorCount", error.errorCount(),
        "queue", error.submissionQueueId(),
        "command", error.commandId(),
        "namespace", error.namespaceId(),
        "block", error.lba(),
        "statusType", (error.status() >> 8) & 0x7,
        "statusCode", error.status() & 0xff,
        "status", error.statusName());
  }
}
