package io.jvfio.cli;

import picocli.CommandLine.IVersionProvider;

/** What {@code --version} prints. */
final class Version implements IVersionProvider {
  @Override
  public String[] getVersion() {
    return new String[] {"jvfio 0.1.0 on Java " + Runtime.version()};
  }
}
