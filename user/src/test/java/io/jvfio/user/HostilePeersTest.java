// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Peers that mean harm. What they did once, they do here again. */
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HostilePeersTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /** For some seconds; {@code lab/fuzz} sends ten million. */
  private static final long MESSAGES = 50_000;

  private static final int RAISE = 28;
  private static final int INTX = 0;

  @TempDir Path directory;

  private Path path;
  private long descriptors;

  @BeforeEach
  void count() {
    path = directory.resolve("socket");
    descriptors = SharedFile.openDescriptors();
  }

  @AfterEach
  void nothingIsLeft() {
    assertThat(SharedFile.openDescriptors()).isEqualTo(descriptors);
  }

  private VfioUserServer serve() {
    return VfioUserServer.serve(
        new VictimModel(), VfioUserServerOptions.at(path).withPatience(Duration.ofSeconds(30)));
  }

  /** An eventfd at which the next signal waits until somebody reads. */
  private static int fullEventFd() {
    int fd = KERNEL.eventFd(0, 0);
    try (var arena = Arena.ofConfined()) {
      assertThat(KERNEL.write(fd, arena.allocateFrom(ValueLayout.JAVA_LONG, -2))).isEqualTo(8);
    }
    return fd;
  }

  private static void write(RawClient client, long offset, int value, int flags) {
    client.out.set(ValueLayout.JAVA_INT, 32, value);
    RegionAccess.REGION.set(client.out, 0);
    RegionAccess.OFFSET.set(client.out, offset);
    RegionAccess.COUNT.set(client.out, 4);
    assertThat(client.call(Command.REGION_WRITE.number(), 36, flags)).isZero();
  }

  @Test
  void anEventfdThatKeepsTheServerWaitingDoesNotKeepTheNextClientWaiting() throws Exception {
    try (var server = serve()) {
      int fd = fullEventFd();
      try (var client = RawClient.agreed(path)) {
        assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, INTX, 0, 1, fd)).isZero();
        write(client, RAISE, 1, Header.NO_REPLY);
      }
      assertServed();
      KERNEL.close(fd);
      assertThat(server.messages()).isPositive();
    }
  }

  @Test
  void anEventfdThatKeepsTheServerWaitingDoesNotKeepItFromClosing() throws Exception {
    int fd = fullEventFd();
    var server = serve();
    try (var client = RawClient.agreed(path);
        server) { // which is closed first
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, INTX, 0, 1, fd)).isZero();
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 4, 0, 1, fd)).isZero();
      server.requestRelease();
      write(client, RAISE, 1, Header.NO_REPLY);
    }
    KERNEL.close(fd);
  }

  @Test
  void whatIsNoEventfdIsNoneOfAnInterrupt() throws Exception {
    try (var _ = serve();
        var client = RawClient.agreed(path);
        var files = new HostileFiles(new Random(3))) {
      int good = files.eventFd();
      int invalid = Errno.EINVAL.number();
      for (int bad : new int[] {files.memory(4096), files.socket(), files.epoll()}) {
        int set = RawClient.EVENTFD;
        assertThat(client.irqs(set | RawClient.TRIGGER, INTX, 0, 1, bad)).isEqualTo(invalid);
        assertThat(client.irqs(set | RawClient.MASK, INTX, 0, 1, bad)).isEqualTo(invalid);
        assertThat(client.irqs(set | RawClient.UNMASK, INTX, 0, 1, bad)).isEqualTo(invalid);
        assertThat(client.irqs(set | RawClient.TRIGGER, 2, 0, 2, good, bad)).isEqualTo(invalid);
      }
    }
  }

  @Test
  void spoiledMessagesHarmNobody() throws Exception {
    try (var peers = new HostilePeers(20_250_601, directory)) {
      peers.run(MESSAGES);
    }
  }

  /** A client that behaves. */
  private void assertServed() throws Exception {
    long limit = System.nanoTime() + 60_000_000_000L;
    while (System.nanoTime() < limit) {
      try (var client = new RawClient(path)) {
        if (client.version("{}") == 0) {
          assertThat(client.value(RawClient.CONFIG, 0, 2)).isEqualTo(0x1234);
          return;
        }
      }
    }
    throw new AssertionError("the next client is not served");
  }
}
