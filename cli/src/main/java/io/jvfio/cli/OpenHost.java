package io.jvfio.cli;

import io.jvfio.VfioHost;

/**
 * A host, until the command is done with it.
 *
 * @param host the host
 * @param release what to do then
 */
record OpenHost(VfioHost host, Runnable release) implements AutoCloseable {
  @Override
  public void close() {
    release.run();
  }
}
