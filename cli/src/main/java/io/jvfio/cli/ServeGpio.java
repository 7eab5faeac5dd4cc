// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.option.GpioLevel;
import io.jvfio.cli.output.Json;
import io.jvfio.cli.output.Output;
import io.jvfio.model.gpio.GpioModel;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code jvfio serve gpio}. */
@Command(
    name = "gpio",
    description = {
      "Serve a PCI-IDIO-16, a card of 16 outputs and 16 inputs that Linux has a driver for.",
      "Prints each output that changes, as 3=1. Lines of that form on standard input set inputs."
    },
    mixinStandardHelpOptions = true)
final class ServeGpio extends ServeCommand.Served<GpioModel> {
  @Option(
      names = "--set",
      paramLabel = "LINE=0|1",
      description = "The level of an input at the start; all are 0 by default.",
      converter = GpioLevel.Converter.class)
  List<GpioLevel> levels = List.of();

  @Override
  GpioModel model() {
    var model = new GpioModel();
    levels.forEach(level -> model.setInput(level.line(), level.value()));
    return model;
  }

  @Override
  String describe(GpioModel model) {
    return "a PCI-IDIO-16";
  }

  @Override
  void start(GpioModel model, Output output, InputStream input) {
    if (!output.isJson()) {
      model.onOutput(
          (line, value) -> {
            output.line(new GpioLevel(line, value).toString());
            output.out().flush();
          });
    }
    Thread.ofPlatform()
        .daemon()
        .name("jvfio-gpio-inputs")
        .start(() -> takeInputs(model, output, input));
  }

  private static void takeInputs(GpioModel model, Output output, InputStream input) {
    try {
      var reader = new BufferedReader(new InputStreamReader(input, StandardCharsets.UTF_8));
      for (var line = reader.readLine(); line != null; line = reader.readLine()) {
        var level = GpioLevel.parse(line);
        if (level.isPresent()) {
          model.setInput(level.get().line(), level.get().value());
        } else if (!line.isBlank()) {
          output.err().println("jvfio: '" + line + "' is no level such as 3=1; lines are 0 to 15");
        }
      }
    } catch (IOException e) {
      output.err().println("jvfio: inputs can no longer be set: " + e);
    }
  }

  @Override
  Map<String, Object> json(GpioModel model) {
    return Json.object(
        "outputs",
        IntStream.range(0, GpioModel.LINES).mapToObj(model::output).toList(),
        "inputs",
        IntStream.range(0, GpioModel.LINES).mapToObj(model::input).toList());
  }
}
