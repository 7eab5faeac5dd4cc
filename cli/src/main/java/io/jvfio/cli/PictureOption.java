// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.CommandFailure;
import io.jvfio.cli.output.Output;
import io.jvfio.cli.output.StandardOutput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The option for a picture beside the text. */
final class PictureOption {
  @Spec(Spec.Target.MIXEE)
  @Nullable CommandSpec spec;

  @Option(
      names = "--svg",
      paramLabel = "FILE",
      description = "Write a picture too; - for standard output, with the text among the messages.")
  @Nullable Path file;

  private boolean isPiped() {
    return file != null && StandardOutput.isMeantBy(file);
  }

  /**
   * Sees that standard output is asked for one thing, before anything is done.
   *
   * @throws ParameterException if not
   */
  void check(Output output) {
    if (isPiped() && output.isJson()) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(),
          "--json and a picture exclude each other on standard output");
    }
  }

  /**
   * Draws it, if it was asked for.
   *
   * @return where the text goes
   */
  Output draw(Output output, Supplier<String> picture) {
    if (isPiped()) {
      output.out().print(picture.get());
      return output.amongMessages();
    }
    if (file != null) {
      try {
        Files.writeString(file, picture.get());
      } catch (IOException e) {
        throw new CommandFailure("cannot write the picture " + file, e);
      }
    }
    return output;
  }
}
