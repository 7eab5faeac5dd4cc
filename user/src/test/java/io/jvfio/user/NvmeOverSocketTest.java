// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.VfioException;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.model.nvme.NvmeModelOptions;
import io.jvfio.model.nvme.NvmeNamespaceOptions;
import io.jvfio.nvme.NvmeCompletionHandler;
import io.jvfio.nvme.NvmeCompletionMode;
import io.jvfio.nvme.NvmeController;
import io.jvfio.nvme.NvmeInterrupts;
import io.jvfio.nvme.NvmeOptions;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The NVMe driver over a socket, and through the loss of its server. */
@Timeout(180)
class NvmeOverSocketTest {
  private static final int ABORTED_BY_HOST = 0x371;
  private static final long SECOND = 1_000_000_000;

  /** Those of I/O queues; what is behind them is the MSI-X table. */
  private static final long IO_DOORBELLS = 0x1008;

  private static final long MSIX_TABLE = 0x2000;

  @TempDir Path directory;

  private Path path;
  private Path image;
  private VfioUserServer server;

  @BeforeEach
  void serve() {
    path = directory.resolve("s");
    image = directory.resolve("image");
    start(false);
  }

  private void start(boolean polls) {
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(image, 4 << 20));
    var at = VfioUserServerOptions.at(path);
    server =
        polls
            ? VfioUserServer.serve(NvmeModel.of(options.withPolling()), at.withPolling())
            : VfioUserServer.serve(NvmeModel.of(options), at);
  }

  private void stop() {
    server.close();
  }

  @AfterEach
  void end() {
    stop();
  }

  private static NvmeOptions options(boolean interrupts, boolean shadow) {
    return NvmeOptions.defaults()
        .withCompletionMode(interrupts ? NvmeCompletionMode.INTERRUPTS : NvmeCompletionMode.POLLED)
        .withShadowDoorbells(shadow);
  }

  @ParameterizedTest
  @CsvSource({"false,false", "false,true", "true,false", "true,true"})
  void readsWhatItWrote(boolean interrupts, boolean shadow) {
    try (var device = VfioUser.open(path);
        var controller = NvmeController.open(device, options(interrupts, shadow));
        var buffer = device.dmaSpace().allocate(64 << 10)) {
      var namespace = controller.namespace(1);
      for (int i = 0; i < 64 << 10; i++) {
        buffer.segment().set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31));
      }
      int blocks = (32 << 10) / namespace.blockSize();
      namespace.write(3, blocks, buffer, 0);
      namespace.read(3, blocks, buffer, 32 << 10);
      assertThat(
              buffer
                  .segment()
                  .asSlice(0, 32 << 10)
                  .mismatch(buffer.segment().asSlice(32 << 10, 32 << 10)))
          .isEqualTo(-1);
    }
  }

  /** For clients that do badly with MSI-X; a vector for each of several queues, as with that. */
  @Test
  void interruptsByMsi() {
    stop();
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(image, 4 << 20));
    server = VfioUserServer.serve(NvmeModel.of(options.withMsi()), path);
    try (var device = VfioUser.open(path);
        var controller = NvmeController.open(device, options(true, false));
        var buffer = device.dmaSpace().allocate(64 << 10);
        var first = controller.openQueue();
        var second = controller.openQueue()) {
      assertThat(controller.interrupts().kind()).isEqualTo(NvmeInterrupts.Kind.MSI);
      var namespace = controller.namespace(1);
      List<Integer> statuses = new ArrayList<>();
      NvmeCompletionHandler handler = (_, status, _) -> statuses.add(status);
      for (var queue : List.of(first, second)) {
        assertThat(queue.write(namespace, 0, 8, buffer, 0, 0)).isTrue();
        while (queue.inFlight() > 0) {
          queue.await(handler, SECOND);
        }
      }
      namespace.flush();
      assertThat(statuses).containsExactly(0, 0);
    }
  }

  /** Doorbells are in memory; a stale event index would have one rung in every round of a ring. */
  @Test
  void nothingIsRungForAControllerThatIsPolled() {
    stop();
    var options = NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(image, 4 << 20));
    var rung = new AtomicInteger();
    server =
        VfioUserServer.serve(
            countingDoorbells(NvmeModel.of(options.withPolling()), rung),
            VfioUserServerOptions.at(path).withPolling());
    int reads = 50_000;
    long[] done = new long[1];
    NvmeCompletionHandler handler = (_, status, _) -> done[0] += status == 0 ? 1 : 0;
    try (var device = VfioUser.open(path);
        var controller = NvmeController.open(device, options(false, true));
        var buffer = device.dmaSpace().allocate(64 << 10);
        var queue = controller.openQueue()) {
      var namespace = controller.namespace(1);
      for (int begun = 0; done[0] < reads; ) {
        while (begun < reads && queue.inFlight() < 32) {
          assertThat(queue.read(namespace, begun % 64, 1, buffer, 0, begun)).isTrue();
          begun++;
        }
        queue.await(handler, SECOND);
      }
    }
    assertThat(rung.get()).isLessThan(50);
  }

  /** A controller whose doorbells of I/O queues are counted as they are rung. */
  private static DeviceModel countingDoorbells(NvmeModel model, AtomicInteger rung) {
    return (DeviceModel)
        Proxy.newProxyInstance(
            DeviceModel.class.getClassLoader(),
            new Class<?>[] {DeviceModel.class},
            (_, method, arguments) -> {
              if (method.getName().equals("write")
                  && arguments[0].equals(0)
                  && (long) arguments[1] >= IO_DOORBELLS
                  && (long) arguments[1] < MSIX_TABLE) {
                rung.incrementAndGet();
              }
              return method.invoke(model, arguments);
            });
  }

  /** Doorbells are messages where the server waits, and memory of the lost one where it polls. */
  @ParameterizedTest
  @CsvSource({
    "false,false,false",
    "false,true,false",
    "true,false,false",
    "true,true,false",
    "false,false,true",
    "false,true,true",
    "true,false,true",
  })
  void goesOnAfterItsServerWasKilled(boolean interrupts, boolean shadow, boolean polls) {
    stop();
    start(polls);
    var options = VfioUserOptions.defaults().withReconnect(Duration.ofSeconds(100));
    try (var device = VfioUser.open(path, options);
        var controller = NvmeController.open(device, options(interrupts, shadow));
        var buffer = device.dmaSpace().allocate(64 << 10);
        var queue = controller.openQueue()) {
      var namespace = controller.namespace(1);
      buffer.segment().fill((byte) 0x5a);
      namespace.write(0, 8, buffer, 0);
      namespace.flush();
      List<Integer> statuses = new ArrayList<>();
      NvmeCompletionHandler handler = (_, status, _) -> statuses.add(status);
      for (int round = 0; round < 3; round++) {
        statuses.clear();
        // The server is gone before it sees these, or while it carries them out.
        var restarting =
            new Thread(
                () -> {
                  stop();
                  start(polls);
                });
        restarting.start();
        for (int i = 0; i < 16; i++) {
          assertThat(queue.read(namespace, i, 1, buffer, i * 512L, i)).isTrue();
          queue.ring();
        }
        while (queue.inFlight() > 0) {
          queue.await(handler, SECOND);
        }
        join(restarting);
        assertThat(statuses).hasSize(16).allMatch(one -> one == 0 || one == ABORTED_BY_HOST);
        workAgain(controller, buffer.segment());
      }
      assertThat(device.reconnects()).isEqualTo(3);
      buffer.segment().fill((byte) 0);
      namespace.read(0, 8, buffer, 0);
      assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 4095)).isEqualTo((byte) 0x5a);
      statuses.clear();
      for (int i = 0; i < 40; i++) {
        assertThat(queue.read(namespace, i, 1, buffer, 0, i)).isTrue();
      }
      while (queue.inFlight() > 0) {
        queue.await(handler, SECOND);
      }
      assertThat(statuses).hasSize(40).containsOnly(0);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** A blocking call may still meet the loss; the one after that works. */
  private static void workAgain(NvmeController controller, MemorySegment data) {
    for (int left = 3; ; left--) {
      try {
        controller.namespace(1).flush();
        assertThat(data.byteSize()).isPositive();
        return;
      } catch (VfioException e) {
        if (left == 0) {
          throw e;
        }
      }
    }
  }
}
