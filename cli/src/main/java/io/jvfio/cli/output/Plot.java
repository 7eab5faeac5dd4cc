// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Writes pictures in the format that the name of their file asks for. */
public final class Plot {
  private Plot() {}

  /** Why no picture can be written into a file of this name; empty if one can. */
  public static String refusal(Path file) {
    if (StandardOutput.isMeantBy(file)) {
      return "";
    }
    var name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    if (name.endsWith(".svg")) {
      return "";
    }
    if (!name.endsWith(".png")) {
      return "a picture is FILE.svg or FILE.png, or - for an SVG on standard output, not " + file;
    }
    return ModuleLayer.boot().findModule("java.desktop").isPresent()
        ? ""
        : "this Java runtime cannot draw a PNG, for it has no module java.desktop; take FILE.svg";
  }

  /**
   * Writes a picture into a file that {@link #refusal} did not refuse.
   *
   * @throws CommandFailure if it cannot be written
   */
  public static void write(Output output, Path file, Scene scene) {
    if (StandardOutput.isMeantBy(file)) {
      output.out().print(SvgScene.of(scene));
      return;
    }
    try {
      Files.write(file, encoded(file, scene));
    } catch (IOException e) {
      throw new CommandFailure("writing " + file + " failed", e);
    }
  }

  private static byte[] encoded(Path file, Scene scene) {
    if (file.toString().toLowerCase(Locale.ROOT).endsWith(".svg")) {
      return SvgScene.of(scene).getBytes(StandardCharsets.UTF_8);
    }
    try {
      return PngScene.of(scene);
    } catch (RuntimeException | LinkageError | InternalError e) {
      throw new CommandFailure(
          "drawing a PNG failed, as it does on a machine without fonts: %s. Install one (on Debian: apt-get install fonts-dejavu-core fontconfig), or take FILE.svg"
              .formatted(e));
    }
  }
}
