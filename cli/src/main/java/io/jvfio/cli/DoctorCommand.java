// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.PciAddress;
import io.jvfio.cli.option.ByteSize;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.Text;
import io.jvfio.ops.Diagnosis;
import io.jvfio.ops.Doctor;
import io.jvfio.ops.Finding;
import io.jvfio.ops.Verdict;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code jvfio doctor}. */
@Command(
    name = "doctor",
    description =
        "Say what keeps devices of this host from being used, why that matters, and what mends it. Nothing is"
            + " changed. Without DEVICE: all devices that a VFIO driver has.",
    exitCodeListHeading = "Exit status:%n",
    exitCodeList = {
      "0:Nothing that was found keeps devices from being used.",
      "1:Something does (FAIL), or the host cannot be read.",
      "2:Wrong usage."
    },
    mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {
  private static final String INDENT = "         ";

  @ParentCommand @Nullable Main main;
  @Spec @Nullable CommandSpec spec;

  @Parameters(
      paramLabel = "DEVICE",
      description =
          "PCI addresses. These are examined with their groups, and no others; what concerns the whole machine is"
              + " told as well.",
      arity = "0..*",
      converter = Address.class)
  List<PciAddress> devices = List.of();

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      description =
          "How much memory is to be mapped for devices, such as 64GiB; limits are judged by it.",
      converter = ByteSize.class)
  @Nullable Long memory;

  /** Reads a PCI address. */
  static final class Address implements ITypeConverter<PciAddress> {
    @Override
    public PciAddress convert(String text) {
      try {
        return PciAddress.parse(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  @Override
  public Integer call() {
    var command = Objects.requireNonNull(main);
    var output = command.output();
    try (var opened = command.openHost()) {
      var doctor = Doctor.of(opened.host()).withDevices(devices);
      if (memory != null) {
        if (memory == 0) {
          throw new ParameterException(
              Objects.requireNonNull(spec).commandLine(), "--memory has to be more than nothing");
        }
        doctor = doctor.withMemory(memory);
      }
      var diagnosis = doctor.examine();
      if (output.isJson()) {
        output.json(json(diagnosis));
      } else {
        print(output, diagnosis);
      }
      return diagnosis.isBlocked() ? 1 : 0;
    }
  }

  private static Map<String, Object> json(Diagnosis diagnosis) {
    return Json.object(
        "host",
        diagnosis.host(),
        "blocked",
        diagnosis.isBlocked(),
        "findings",
        diagnosis.findings().stream().map(DoctorCommand::json).toList());
  }

  private static Map<String, Object> json(Finding finding) {
    return Json.object(
        "id", finding.id(),
        "verdict", name(finding.verdict()),
        "object", finding.object(),
        "lookedAt", finding.lookedAt(),
        "found", finding.found(),
        "why", finding.why(),
        "mend", finding.mend());
  }

  private static String name(Verdict verdict) {
    return switch (verdict) {
      case PASS -> "pass";
      case WARN -> "warn";
      case FAIL -> "fail";
      case UNKNOWN -> "unknown";
    };
  }

  private static void print(Output output, Diagnosis diagnosis) {
    for (var finding : diagnosis.findings()) {
      print(output, finding);
    }
    output.line("");
    output.line(
        "%s: %d FAIL, %d WARN, %d PASS, %d not known."
            .formatted(
                diagnosis.host(),
                diagnosis.count(Verdict.FAIL),
                diagnosis.count(Verdict.WARN),
                diagnosis.count(Verdict.PASS),
                diagnosis.count(Verdict.UNKNOWN)));
  }

  private static void print(Output output, Finding finding) {
    var verdict = finding.verdict() == Verdict.UNKNOWN ? "?" : finding.verdict().name();
    output.line("%-7s%s, %s".formatted(verdict, finding.id(), finding.object()));
    Text.wrapped(output, INDENT, finding.found());
    if (finding.verdict() == Verdict.WARN || finding.verdict() == Verdict.FAIL) {
      Text.wrapped(output, INDENT, "Why it matters: " + finding.why());
      finding.mend().ifPresent(mend -> Text.wrapped(output, INDENT, "What mends it: " + mend));
      Text.wrapped(output, INDENT, "Looked at: " + String.join(", ", finding.lookedAt()));
    }
  }
}
