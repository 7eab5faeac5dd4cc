// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import io.jvfio.sim.setup.HostCatalog;
import io.jvfio.sim.setup.HostDescription;
import java.nio.file.Path;
import java.util.List;

/**
 * The simulated hosts, named by what they imitate; {@code file:PATH} is the one that is recorded in
 * a file, see {@link RecordedHost}. Each is a Linux VFIO host in this process: its kernel answers
 * the system calls that VFIO needs as the imitated one does, and has NVMe controllers to drive.
 */
public final class SimulatedHosts {
  private static final String FILE = "file:";

  private SimulatedHosts() {}

  /** The names of all hosts. */
  public static List<String> names() {
    return HostCatalog.HOSTS.stream().map(HostDescription::name).toList();
  }

  /**
   * Describes in one sentence what a host imitates and what it shows.
   *
   * @throws IllegalArgumentException if there is no such host; the message names all that there are
   */
  public static String description(String name) {
    if (name.startsWith(FILE)) {
      return recorded(name).description();
    }
    return find(name).description();
  }

  /**
   * Starts a host with {@link HostOptions#defaults()}, or a recorded one with {@link
   * RecordedHost#options()}. Each call starts another one.
   *
   * @throws IllegalArgumentException if there is no such host; the message names all that there are
   */
  public static SimulatedHost open(String name) {
    return name.startsWith(FILE) ? recorded(name).open() : open(name, HostOptions.defaults());
  }

  /**
   * Starts a host.
   *
   * @throws IllegalArgumentException if there is no such host, or {@code options} name what it does
   *     not have
   */
  public static SimulatedHost open(String name, HostOptions options) {
    return name.startsWith(FILE)
        ? recorded(name).open(options)
        : new SimulatedHost(find(name), options.settings());
  }

  private static RecordedHost recorded(String name) {
    return RecordedHost.read(Path.of(name.substring(FILE.length())));
  }

  private static HostDescription find(String name) {
    for (var host : HostCatalog.HOSTS) {
      if (host.name().equals(name)) {
        return host;
      }
    }
    throw new IllegalArgumentException(
        "there is no simulated host '" + name + "'; there are " + String.join(", ", names()));
  }
}
