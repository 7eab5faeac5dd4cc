// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.DeviceFeature;
import io.jvfio.linux.Errno;
import io.jvfio.spi.DeviceConnection;
import io.jvfio.spi.Explanation;

/** The meanings of a server's errors, of which the connection to it knows most. */
public final class ConnectionAnswers implements DeviceAnswers {
  private final DeviceConnection connection;

  public ConnectionAnswers(DeviceConnection connection) {
    this.connection = connection;
  }

  @Override
  public Explanation device(Errno errno) {
    return connection.explain(errno);
  }

  @Override
  public Explanation tooManyVectors(int count) {
    return new Explanation(
        "The server answered that %d vectors can be had, which it did not give.".formatted(count),
        "Report it to the server's author.");
  }

  @Override
  public Explanation feature(DeviceFeature feature, Errno errno, HostFacts facts) {
    return errno.equals(Errno.ENOTTY)
        ? new Explanation("The server has no such feature.", "")
        : device(errno);
  }

  @Override
  public Explanation mapRegion(Errno errno) {
    return connection.isConnected()
        ? new Explanation(
            "The file that the server gave for the region cannot be mapped so.",
            "Read and write the region without mapping it, and report it to the server's author.")
        : device(errno);
  }

  @Override
  public Explanation ioEventFd(Errno errno) {
    return errno.equals(Errno.ENOTTY)
        ? new Explanation(
            "Nobody but the server can watch an eventfd for a register of its device.",
            "Ask which ones it watches: VfioUser.ioEventFds tells.")
        : device(errno);
  }

  @Override
  public Explanation noAnswer() {
    return new Explanation(
        "The device did not answer, for a reason that its configuration space does not tell.",
        "Look into the server's log.");
  }

  @Override
  public Explanation gone() {
    return new Explanation(
        "The device did not answer: its configuration space reads as ones, or its server is gone.",
        "Close it; if the server should be there, look into its log.");
  }

  @Override
  public Explanation senseless(String what) {
    return new Explanation(
        "The server describes it with " + what + ".", "Report it to the server's author.");
  }
}
