// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;

/** What a device may ask of its host when there is nobody left to ask. */
class DevicePollerTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /** The number of its descriptor is somebody else's by then. */
  @Test
  void aRequestThatComesTooLateWritesToNobody() throws Exception {
    var poller = new DevicePoller(LinuxKernel.instance());
    int number = poller.eventFd();
    poller.close();
    var opened = new ArrayList<Integer>();
    try (var arena = Arena.ofConfined()) {
      while (!opened.contains(number) && opened.size() < 1000) {
        opened.add(KERNEL.eventFd(0, Kernel.EFD_NONBLOCK));
      }
      assertThat(opened).contains(number);

      poller.request();
      poller.close();

      assertThat(KERNEL.read(number, arena.allocate(ValueLayout.JAVA_LONG)))
          .isEqualTo(Errno.EAGAIN.result());
    } finally {
      opened.forEach(KERNEL::close);
    }
  }
}
