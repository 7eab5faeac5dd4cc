// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Objects;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/** What {@code --version} prints: which jvfio, built from which commit, on which Java. */
final class Version implements IVersionProvider {
  @Override
  public String[] getVersion() {
    var build = new Properties();
    try (var stream = Version.class.getResourceAsStream("build.properties")) {
      build.load(Objects.requireNonNull(stream, "build.properties"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new String[] {
      "jvfio %s (%s) on Java %s"
          .formatted(build.getProperty("version"), build.getProperty("commit"), Runtime.version())
    };
  }
}
