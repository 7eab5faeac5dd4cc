// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.RegionAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A device that always has work: its client gets answers meanwhile, and when it goes the work is
 * over.
 */
@Timeout(120)
class BusyDeviceTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /** A round takes about that: less than nothing to whoever waits for a register. */
  private static final long ROUND_NANOS = 300_000;

  private static final int READS = 500;
  private static final int ATTEMPTS = 10;
  private static final long LIMIT_NANOS = 10_000_000;

  @TempDir private @Nullable Path directory;

  private final ScriptedModel model = new ScriptedModel();
  private final AtomicInteger rounds = new AtomicInteger();
  private @Nullable Served served;

  @AfterEach
  void close() {
    if (served != null) {
      served.close();
    }
  }

  private Served serve(UnaryOperator<VfioUserServerOptions> options) {
    served = new Served(model, Objects.requireNonNull(directory), options);
    return served;
  }

  private boolean work() {
    rounds.incrementAndGet();
    for (long start = System.nanoTime(); System.nanoTime() - start < ROUND_NANOS; ) {
      Thread.onSpinWait();
    }
    return true;
  }

  private void keepBusy() throws InterruptedException {
    model.onPoll = this::work;
    model.requestPoll();
    Served.await(() -> rounds.get() > 10);
  }

  /**
   * All but one in a hundred of the client's reads are answered in 10 ms while the device works: in
   * one of several tries, for others may be busy on this machine as well.
   */
  private void assertAnswersSoon(RawClient client) {
    int before = rounds.get();
    long least = Long.MAX_VALUE;
    for (int attempt = 0; attempt < ATTEMPTS && least >= LIMIT_NANOS; attempt++) {
      var times = new long[READS];
      for (int i = 0; i < READS; i++) {
        long start = System.nanoTime();
        assertThat(client.value(0, 0, 4)).isZero();
        times[i] = System.nanoTime() - start;
      }
      Arrays.sort(times);
      least = Math.min(least, times[READS * 99 / 100]);
    }
    assertThat(least).isLessThan(LIMIT_NANOS);
    assertThat(rounds.get()).as("rounds of work").isGreaterThan(before);
  }

  @Test
  void aServerThatWaitsAnswersMeanwhile() throws Exception {
    var of = serve(options -> options);
    try (var client = of.client()) {
      keepBusy();
      assertAnswersSoon(client);
    }
    assertIsServed(of);
  }

  @Test
  void aServerThatPollsAnswersMeanwhile() throws Exception {
    var of = serve(VfioUserServerOptions::withPolling);
    try (var client = of.client()) {
      keepBusy();
      assertAnswersSoon(client);
    }
    assertIsServed(of);
  }

  /** The client has gone, and with it its work: there is another one, and then an end. */
  private void assertIsServed(Served of) throws Exception {
    of.awaitLeft(1);
    try (var next = of.client()) {
      assertThat(next.value(0, 0, 4)).isZero();
      try (var another = new RawClient(of.path)) {
        assertThat(another.version("{}")).isEqualTo(Errno.EBUSY.number());
      }
      of.stop();
    }
  }

  @Test
  void workThatIsLeftWaitsForTheNextClient() throws Exception {
    var of = serve(VfioUserServerOptions::withRetainedState);
    try (var _ = of.client()) {
      keepBusy();
    }
    of.awaitLeft(1);
    int before = rounds.get();
    model.requestPoll();
    Served.await(() -> rounds.get() > before); // one round for a request, and no more
    try (var _ = of.client()) {
      int then = rounds.get();
      Served.await(() -> rounds.get() > then + 10);
    }
  }

  @Test
  void aKernelThatSignalsTheEventfdHasTheDevicePolled() throws Exception {
    var of = serve(options -> options);
    assertThat(model.pollEvent).isNotNegative();
    try (var client = of.client();
        var arena = Arena.ofConfined()) {
      assertThat(client.value(0, 0, 4)).isZero();
      var one = arena.allocateFrom(ValueLayout.JAVA_LONG, 1);
      for (int i = 0; i < 3; i++) {
        var isPolled = new AtomicBoolean();
        model.onPoll =
            () -> {
              isPolled.set(true);
              return false;
            };
        assertThat(KERNEL.write(model.pollEvent, one)).isEqualTo(8);
        Served.await(isPolled::get);
      }
      model.onClose = () -> assertThat(KERNEL.write(model.pollEvent, one)).isEqualTo(8);
      of.stop();
    }
  }

  @Test
  void aServerThatPollsNeedsNoEventfd() {
    serve(VfioUserServerOptions::withPolling);
    assertThat(model.pollEvent).isNegative();
  }

  /**
   * The device has the lock, on the thread that polls it, and waits for an answer; commands come
   * before that. They are kept, carried out afterwards in their order, and what came with them is
   * closed.
   */
  @Test
  void commandsThatComeBeforeTheAnswerForThePollingThreadAreKept() throws Exception {
    var of = serve(options -> options);
    var data = MemorySegment.ofArray(new byte[8]);
    model.onRead = () -> 0x55;
    try (var client = of.master()) {
      assertThat(client.map(0x1000, 0x1000, 3)).isZero();
      long descriptors = OpenDescriptors.count();
      for (int round = 1; round <= 3; round++) {
        var isAsked = new AtomicBoolean();
        model.onPoll =
            () -> {
              if (!isAsked.getAndSet(true)) {
                read(data);
              }
              return false;
            };
        model.requestPoll();
        assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES);
        int asked = Header.id(client.in());

        RegionAccess.REGION.set(client.out, 0);
        RegionAccess.OFFSET.set(client.out, 0);
        RegionAccess.COUNT.set(client.out, 4);
        Header.write(client.out, 77, Command.REGION_READ.number(), RegionAccess.BYTES, 0, 0);
        int stray = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
        assertThat(client.socket.send(client.out, RegionAccess.BYTES, new int[] {stray}, 1))
            .isZero();
        KERNEL.close(stray);
        Header.write(client.out, 78, Command.REGION_READ.number(), RegionAccess.BYTES, 0, 0);
        assertThat(client.socket.send(client.out, RegionAccess.BYTES)).isZero();

        int size = DmaAccessMessage.BYTES + 8;
        Header.writeReply(client.out, asked, Command.DMA_READ.number(), size);
        DmaAccessMessage.ADDRESS.set(client.out, 0x1000);
        DmaAccessMessage.COUNT.set(client.out, 8);
        client.out.set(ValueLayout.JAVA_BYTE, DmaAccessMessage.BYTES, (byte) round);
        assertThat(client.socket.send(client.out, size)).isZero();

        assertThat(client.receive()).isEqualTo(Header.SIZE);
        assertThat(Header.id(client.in())).isEqualTo(77);
        assertThat(Header.error(client.in())).as("it takes none").isEqualTo(Errno.EINVAL.number());
        assertThat(client.receive()).isEqualTo(RegionAccess.BYTES + 4);
        assertThat(Header.id(client.in())).isEqualTo(78);
        assertThat(client.in().get(ValueLayout.JAVA_BYTE, RegionAccess.BYTES))
            .isEqualTo((byte) 0x55);
        assertThat(data.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) round);
        Served.await(() -> OpenDescriptors.count() == descriptors);
      }
    }
  }

  private void read(MemorySegment data) {
    try {
      model.dma().read(0x1000, data);
    } catch (DmaFaultException e) {
      throw new AssertionError(e);
    }
  }

  /** A client that is being answered all the time keeps nobody from ending it. */
  @Test
  void eventfdsOfTheClientKeepNobodyWaiting() throws Exception {
    var of = serve(options -> options);
    int resample = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    try (var client = of.client()) {
      keepBusy();
      client.irqs(RawClient.EVENTFD | RawClient.UNMASK, 0, 0, 1, resample);
      assertAnswersSoon(client);
      of.stop();
    }
    KERNEL.close(resample);
  }
}
