// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.jvfio.Interrupt;
import io.jvfio.PciAddress;
import io.jvfio.VfioDevice;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.Registers;
import io.jvfio.sim.FaultInjector;
import io.jvfio.sim.HostOptions;
import io.jvfio.sim.SimulatedHost;
import io.jvfio.sim.SimulatedHosts;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.text.MessageFormat;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class InterruptsTest {
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final Duration SHORT = Duration.ofMillis(5);

  private final List<AutoCloseable> opened = new ArrayList<>();
  private VfioDevice device = open("x86-6.12", HostOptions.defaults(), new Bell(8));
  private SimulatedHost host = host();
  private Registers registers = registers();

  private VfioDevice open(String name, HostOptions options, Bell bell) {
    var address = addressOn(name);
    var simulated =
        SimulatedHosts.open(
            name,
            options
                .withLockedMemoryLimit(Kernel.NO_LIMIT)
                .withModels(each -> each.equals(address.toString()) ? bell : null));
    opened.add(simulated);
    var opening = VfioHost.of("sim:" + name, simulated.kernel()).open(address);
    opened.add(opening);
    opening.enableBusMaster();
    return opening;
  }

  private static PciAddress addressOn(String name) {
    try (var simulated = SimulatedHosts.open(name)) {
      return VfioHost.of(name, simulated.kernel()).devices().stream()
          .filter(io.jvfio.HostDevice::isBoundToVfio)
          .findFirst()
          .orElseThrow()
          .address();
    }
  }

  private void reopen(String name, HostOptions options, Bell bell) throws Exception {
    closeAll();
    device = open(name, options, bell);
    host = host();
    registers = registers();
  }

  private SimulatedHost host() {
    return (SimulatedHost) opened.getFirst();
  }

  private Registers registers() {
    return device.region(0).registers();
  }

  @AfterEach
  void closeAll() throws Exception {
    for (var one : opened.reversed()) {
      one.close();
    }
    opened.clear();
  }

  private void send(int vector) {
    registers.write32(Bell.MESSAGE, vector);
  }

  private void line(boolean asserted) {
    registers.write32(Bell.LINE, asserted ? 1 : 0);
  }

  @Test
  void aVectorIsSignalledWhenTheDeviceSendsItsMessage() {
    try (var vectors = device.interrupts().enableMsix(3)) {
      assertThat(vectors.count()).isEqualTo(3);
      assertThat(vectors.vector(1).poll()).isZero();
      send(1);
      send(1);
      assertThat(vectors.vector(1).await(LONG)).isEqualTo(2);
      assertThat(vectors.vector(0).await(SHORT)).isZero();
      assertThat(vectors.vector(2).await(Duration.ofSeconds(-1))).isZero();
    }
  }

  /** What the library warns of while {@code action} runs. */
  private static List<String> warnings(Runnable action) {
    var told = new ArrayList<String>();
    var handler =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            told.add(MessageFormat.format(record.getMessage(), record.getParameters()));
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    var logger = Logger.getLogger("io.jvfio");
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    try {
      action.run();
    } finally {
      logger.removeHandler(handler);
      logger.setUseParentHandlers(true);
    }
    return told.stream().filter(text -> text.contains("bus mastering")).toList();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aWaitForAMessageInVainSaysOnceThatBusMasteringIsOff(boolean isMsix) {
    var interrupts = device.interrupts();
    try (var vectors = isMsix ? interrupts.enableMsix(2) : interrupts.enableMsi(2)) {
      Runnable wait =
          () -> {
            send(1);
            assertThat(vectors.vector(1).await(SHORT)).isZero();
            assertThat(vectors.vector(0).await(SHORT)).isZero();
          };
      device.disableBusMaster();
      assertThat(warnings(wait))
          .singleElement()
          .asString()
          .contains(
              device.name(),
              isMsix ? "MSI-X interrupt 1" : "MSI interrupt 1",
              "COMMAND bit 2",
              "enableBusMaster()");
      assertThat(warnings(wait)).as("the second time").isEmpty();
      device.config().write16(4, 2);
      assertThat(warnings(wait)).as("after it was written again").hasSize(1);
    }
  }

  @Test
  void nobodyLooksAtBusMasteringThatIsOnOrUnlessAWaitWasInVain() throws Exception {
    var simulated = host();
    var injector = new FaultInjector(simulated.kernel());
    device.close();
    var opening = VfioHost.of("x", injector).open(addressOn("x86-6.12"));
    opened.add(opening);
    opening.enableBusMaster();
    try (var vectors = opening.interrupts().enableMsix(1)) {
      int before = preads(injector);
      var warnings =
          warnings(
              () -> {
                assertThat(vectors.vector(0).await(SHORT)).isZero();
                opening.disableBusMaster();
                assertThat(vectors.vector(0).poll()).isZero();
                assertThat(vectors.vector(0).await(Duration.ZERO)).isZero();
                vectors.vector(0).trigger();
                assertThat(vectors.vector(0).await(LONG)).isEqualTo(1);
                assertThat(opening.interrupts().releaseRequest().await(SHORT)).isZero();
              });
      assertThat(warnings).isEmpty();
      assertThat(preads(injector) - before).as("that of disableBusMaster").isEqualTo(1);
      opening.reset();
      assertThat(warnings(() -> assertThat(vectors.vector(0).await(SHORT)).isZero())).hasSize(1);
    }
  }

  private static int preads(FaultInjector injector) {
    return (int) injector.calls().stream().filter(c -> c.operation().equals("pread")).count();
  }

  @Test
  void aDeviceThatDoesNotTellIsNotAccused() {
    try (var simulated = SimulatedHosts.open("x86-6.12", HostOptions.defaults())) {
      var injector = new FaultInjector(simulated.kernel());
      try (var opening = VfioHost.of("x", injector).open(addressOn("x86-6.12"));
          var vectors = opening.interrupts().enableMsix(1)) {
        injector.failEvery("pread", Errno.EIO);
        assertThat(warnings(() -> assertThat(vectors.vector(0).await(SHORT)).isZero())).isEmpty();
        injector.failNone();
      }
    }
  }

  @Test
  void nothingIsSentWithoutBusMastering() {
    try (var vectors = device.interrupts().enableMsix(1)) {
      device.disableBusMaster();
      send(0);
      assertThat(vectors.vector(0).poll()).isZero();
      device.enableBusMaster();
      send(0);
      assertThat(vectors.vector(0).poll()).isEqualTo(1);
    }
  }

  @Test
  void softwareTriggersAnInterruptAsTheDeviceWould() {
    try (var vectors = device.interrupts().enableMsix(2)) {
      vectors.vector(1).trigger();
      assertThat(vectors.vector(1).await(LONG)).isEqualTo(1);
      assertThat(vectors.vector(0).poll()).isZero();
    }
    for (var notifier :
        List.of(device.interrupts().deviceError(), device.interrupts().releaseRequest())) {
      notifier.trigger();
      assertThat(notifier.await(LONG)).isEqualTo(1);
    }
  }

  @Test
  void handlersGetEverySignal() throws Exception {
    var counts = new LinkedBlockingQueue<String>();
    try (var vectors = device.interrupts().enableMsix(4)) {
      for (int i = 0; i < 4; i++) {
        int number = i;
        vectors.vector(i).handle(count -> counts.add(number + ":" + count));
      }
      for (int i = 0; i < 4; i++) {
        send(i);
        assertThat(counts.poll(1, TimeUnit.MINUTES)).isEqualTo(i + ":1");
      }
      assertThatIllegalStateException().isThrownBy(() -> vectors.vector(0).poll());
      assertThatIllegalStateException().isThrownBy(() -> vectors.vector(0).await(SHORT));
      vectors.vector(0).handle(count -> counts.add("other"));
      send(0);
      assertThat(counts.poll(1, TimeUnit.MINUTES)).isEqualTo("other");
      vectors.vector(0).unhandle();
      vectors.vector(0).unhandle();
      send(0);
      assertThat(vectors.vector(0).await(LONG)).isEqualTo(1);
      assertThat(counts).isEmpty();
    }
  }

  @Test
  void allHandlersOfADeviceShareOneDaemonThread() throws Exception {
    var threads = new LinkedBlockingQueue<Thread>();
    try (var vectors = device.interrupts().enableMsix(2)) {
      vectors.vector(0).handle(_ -> threads.add(Thread.currentThread()));
      vectors.vector(1).handle(_ -> threads.add(Thread.currentThread()));
      send(0);
      var first = threads.poll(1, TimeUnit.MINUTES);
      send(1);
      assertThat(threads.poll(1, TimeUnit.MINUTES)).isSameAs(first);
      assertThat(first.isDaemon()).isTrue();
      device.close();
      assertThat(first.isAlive()).isFalse();
    }
  }

  @Test
  void aHandlerThatFailsIsCalledAgain() throws Exception {
    var counts = new LinkedBlockingQueue<Long>();
    try (var vectors = device.interrupts().enableMsix(1)) {
      vectors
          .vector(0)
          .handle(
              count -> {
                counts.add(count);
                throw new AssertionError("meant to be logged");
              });
      for (int i = 0; i < 3; i++) {
        send(0);
        assertThat(counts.poll(1, TimeUnit.MINUTES)).isEqualTo(1);
      }
    }
  }

  @Test
  void aHandlerIsNotRunningAnyMoreWhenItIsTakenAway() throws Exception {
    var entered = new CountDownLatch(1);
    var done = new AtomicBoolean();
    var proceed = new CountDownLatch(1);
    try (var vectors = device.interrupts().enableMsix(1)) {
      var vector = vectors.vector(0);
      vector.handle(
          _ -> {
            entered.countDown();
            awaitUninterruptibly(proceed);
            done.set(true);
          });
      send(0);
      assertThat(entered.await(1, TimeUnit.MINUTES)).isTrue();
      var taken =
          CompletableFuture.supplyAsync(
              () -> {
                vector.unhandle();
                return done.get();
              });
      proceed.countDown();
      assertThat(taken.get(1, TimeUnit.MINUTES)).isTrue();
    }
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      assertThat(latch.await(1, TimeUnit.MINUTES)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"vectors", "device", "unhandle"})
  void aHandlerMayEndWhatItHandles(String what) throws Exception {
    var before = host.resources();
    var ended = new CountDownLatch(1);
    var failure = new AtomicReference<Throwable>();
    var vectors = device.interrupts().enableMsix(2);
    var vector = vectors.vector(0);
    var thread = new AtomicReference<Thread>();
    vector.handle(
        _ -> {
          thread.set(Thread.currentThread());
          try {
            switch (what) {
              case "vectors" -> vectors.close();
              case "device" -> device.close();
              default -> vector.unhandle();
            }
          } catch (RuntimeException e) {
            failure.set(e);
          }
          ended.countDown();
        });
    send(0);
    awaitUninterruptibly(ended);
    assertThat(failure.get()).isNull();
    switch (what) {
      case "vectors" -> {
        assertThat(host.resources().interrupts()).isZero();
        assertThatIllegalStateException().isThrownBy(vector::poll);
      }
      case "device" -> {
        thread.get().join();
        assertThat(host.resources().openFiles()).isZero();
      }
      default -> {
        send(0);
        assertThat(vector.await(LONG)).isEqualTo(1);
      }
    }
    vectors.close();
    assertThat(host.resources().interrupts()).isEqualTo(before.interrupts());
  }

  @ParameterizedTest
  @ValueSource(strings = {"vectors", "device"})
  void aWaitEndsWhenWhatItWaitsForIsClosed(String what) throws Exception {
    var vectors = device.interrupts().enableMsix(1);
    var vector = vectors.vector(0);
    var waits = new ArrayList<CompletableFuture<String>>();
    for (int i = 0; i < 3; i++) {
      waits.add(CompletableFuture.supplyAsync(() -> outcome(vector)));
    }
    if (what.equals("device")) {
      device.close();
      device.close();
      vectors.close();
    } else {
      vectors.close();
      vectors.close();
    }
    for (var wait : waits) {
      assertThat(wait.get(1, TimeUnit.MINUTES)).contains("closed");
    }
    assertThatIllegalStateException().isThrownBy(vector::trigger);
    assertThatIllegalStateException().isThrownBy(vector::fileDescriptor);
    assertThatIllegalStateException().isThrownBy(() -> vector.handle(_ -> {}));
    assertThatIllegalStateException().isThrownBy(vector::unhandle);
    assertThatIllegalStateException().isThrownBy(() -> vectors.grow(2));
    if (what.equals("device")) {
      assertThatIllegalStateException().isThrownBy(() -> device.interrupts().enableMsix(1));
      assertThatIllegalStateException().isThrownBy(() -> device.interrupts().enableIntx());
      assertThatIllegalStateException().isThrownBy(() -> device.interrupts().deviceError());
      assertThat(host.resources().openFiles()).isZero();
    }
  }

  private static String outcome(Interrupt interrupt) {
    try {
      return Long.toString(interrupt.await(LONG));
    } catch (IllegalStateException e) {
      return String.valueOf(e.getMessage());
    }
  }

  @Test
  void oneKindIsInUseAtATime() {
    var interrupts = device.interrupts();
    try (var vectors = interrupts.enableMsix(1)) {
      assertThatIllegalStateException().isThrownBy(() -> interrupts.enableMsix(1));
      assertThatIllegalStateException().isThrownBy(() -> interrupts.enableMsi(1));
      assertThatIllegalStateException()
          .isThrownBy(interrupts::enableIntx)
          .withMessageContaining("1 MSI-X vectors is in use");
      assertThat(vectors.count()).isEqualTo(1);
    }
    try (var line = interrupts.enableIntx()) {
      assertThat(line.poll()).isZero();
      assertThatIllegalStateException().isThrownBy(() -> interrupts.enableMsi(1));
    }
    try (var vectors = interrupts.enableMsi(4)) {
      send(3);
      assertThat(vectors.vector(3).poll()).isEqualTo(1);
    }
  }

  @Test
  void moreThanTheDeviceHasIsRefusedBeforeTheKernelIsAsked() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> device.interrupts().enableMsix(9))
        .withMessageContaining("8 MSI-X vectors, not 9");
    assertThatIllegalArgumentException().isThrownBy(() -> device.interrupts().enableMsix(0));
    assertThatIllegalArgumentException().isThrownBy(() -> device.interrupts().enableMsi(5));
    try (var vectors = device.interrupts().enableMsix(2)) {
      assertThatExceptionOfType(IndexOutOfBoundsException.class)
          .isThrownBy(() -> vectors.vector(2));
      assertThatIllegalArgumentException().isThrownBy(() -> vectors.grow(1));
      assertThatIllegalArgumentException().isThrownBy(() -> vectors.grow(9));
      assertThat(vectors.grow(2)).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "pseries-6.12", "pseries-5.10"})
  void aHostWithFewVectorsGivesWhatItHas(String name) throws Exception {
    var options = HostOptions.defaults().withInterruptVectors(3);
    reopen(name, options, new Bell(8));
    int files = host.resources().openFiles();
    try (var vectors = device.interrupts().enableMsix(5)) {
      assertThat(vectors.count()).isEqualTo(3);
      assertThat(host.resources().openFiles()).isEqualTo(files + 3);
      send(2);
      assertThat(vectors.vector(2).poll()).isEqualTo(1);
      assertThat(vectors.grow(6)).isEqualTo(3);
      assertThat(host.resources().openFiles()).isEqualTo(files + 3);
      send(2);
      assertThat(vectors.vector(2).poll()).isPositive();
    }
    assertThat(host.resources().openFiles()).isEqualTo(files);
  }

  @Test
  void aHostWithoutVectorsSaysSo() throws Exception {
    reopen("x86-6.12", HostOptions.defaults().withInterruptVectors(0), new Bell(4));
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.interrupts().enableMsix(1))
        .withMessageContaining("VFIO_DEVICE_SET_IRQS(MSI-X)")
        .withMessageContaining("ENOSPC")
        .withMessageContaining("no interrupt vector left");
  }

  @ParameterizedTest
  @ValueSource(strings = {"x86-6.12", "pseries-6.12", "pseries-5.10"})
  void vectorsCanBeAdded(String name) throws Exception {
    reopen(name, HostOptions.defaults(), new Bell(8));
    boolean dynamic = device.interrupts().indexes().get(2).resizable();
    assertThat(dynamic).isEqualTo(name.equals("x86-6.12"));
    var counts = new LinkedBlockingQueue<Long>();
    try (var vectors = device.interrupts().enableMsix(2)) {
      var first = vectors.vector(0);
      first.handle(counts::add);
      assertThat(vectors.grow(5)).isEqualTo(5);
      assertThat(vectors.count()).isEqualTo(5);
      assertThat(vectors.vector(0)).isSameAs(first);
      if (!dynamic) {
        assertThat(counts.poll(1, TimeUnit.MINUTES)).as("what may have been lost").isEqualTo(1);
      }
      send(0);
      assertThat(counts.poll(1, TimeUnit.MINUTES)).isEqualTo(1);
      assertThat(vectors.vector(1).poll()).isEqualTo(dynamic ? 0 : 1);
      send(4);
      assertThat(vectors.vector(4).poll()).isEqualTo(1);
    }
  }

  @Test
  void theLineIsMaskedByEachSignalUntilItIsUnmasked() {
    try (var line = device.interrupts().enableIntx()) {
      line(true);
      assertThat(line.await(LONG)).isEqualTo(1);
      line(false);
      line(true);
      assertThat(line.poll()).as("masked").isZero();
      line.unmask();
      assertThat(line.poll()).as("still up").isEqualTo(1);
      line(false);
      line.unmask();
      assertThat(line.poll()).isZero();
      line.mask();
      line(true);
      assertThat(line.poll()).isZero();
      line.unmask();
      assertThat(line.poll()).isEqualTo(1);
      line.trigger();
      assertThat(line.poll()).isEqualTo(1);
    }
  }

  @Test
  void anEventfdUnmasksTheLine() {
    var line = device.interrupts().enableIntx();
    int resample = line.resampleDescriptor();
    assertThat(line.resampleDescriptor()).isEqualTo(resample);
    line(true);
    assertThat(line.poll()).isEqualTo(1);
    signal(resample);
    assertThat(line.poll()).as("still up").isEqualTo(1);
    line(false);
    signal(resample);
    line(true);
    assertThat(line.poll()).isEqualTo(1);
    line.close();
    assertThatIllegalStateException().isThrownBy(line::resampleDescriptor);
    assertThatIllegalStateException().isThrownBy(line::unmask);
  }

  private void signal(int fd) {
    try (var arena = Arena.ofConfined()) {
      var one = arena.allocate(8, 8);
      one.set(ValueLayout.JAVA_LONG, 0, 1);
      assertThat(host.kernel().write(fd, one)).isEqualTo(8);
    }
  }

  @Test
  void aDeviceThatIsNotExpressCannotTellOfErrors() throws Exception {
    reopen("x86-6.12", HostOptions.defaults(), new Bell(2, false));
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.interrupts().deviceError())
        .withMessageContaining("not PCI Express");
    assertThat(device.interrupts().releaseRequest()).isSameAs(device.interrupts().releaseRequest());
  }

  @Test
  void aSignalMakesTheKernelWriteARegister() {
    var region = device.region(0);
    var event = region.ioEventFd(Bell.SCRATCH, 4, 0x1_1234_5678L);
    event.signal();
    assertThat(registers.read32(Bell.SCRATCH)).isEqualTo(0x1234_5678);
    signal(event.fileDescriptor());
    assertThat(registers.read32(Bell.WRITES)).isEqualTo(2);
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> region.ioEventFd(Bell.SCRATCH, 4, 0x1_1234_5678L))
        .withMessageContaining("EEXIST");
    event.close();
    event.close();
    assertThatIllegalStateException().isThrownBy(event::signal);
    assertThatIllegalStateException().isThrownBy(event::fileDescriptor);
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> region.ioEventFd(Bell.TABLE, 4, 0))
        .withMessageContaining("EINVAL");
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.region(7).ioEventFd(4, 2, 0))
        .withMessageContaining("BARs only");
    assertThatIllegalArgumentException().isThrownBy(() -> region.ioEventFd(0, 3, 0));
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> region.ioEventFd(0xffe, 4, 0));
    region.ioEventFd(Bell.SCRATCH, 2, 7);
    device.close();
    assertThat(host.resources().openFiles()).isZero();
  }

  @Test
  void aDeviceHasAThousandWritesThatSignalsCause() {
    var region = device.region(0);
    for (int value = 0; value < 1000; value++) {
      region.ioEventFd(Bell.SCRATCH, 4, value);
    }
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> region.ioEventFd(Bell.SCRATCH, 4, 1000))
        .withMessageContaining("ENOSPC")
        .withMessageContaining("1,000 of them at most");
  }

  @Test
  void aMessageWaitsInTheDeviceWhileItsVectorHasNoHandler() {
    try (var vectors = device.interrupts().enableMsix(1)) {
      send(3);
      assertThat(vectors.grow(4)).isEqualTo(4);
      assertThat(vectors.vector(3).poll()).isEqualTo(1);
      assertThat(vectors.vector(2).poll()).isZero();
    }
    send(0);
    try (var vectors = device.interrupts().enableMsix(1)) {
      assertThat(vectors.vector(0).poll()).as("nothing waits while MSI-X is off").isZero();
      device.reset();
      device.enableBusMaster();
      send(0);
      assertThat(vectors.vector(0).poll()).as("a reset leaves vectors as they are").isEqualTo(1);
    }
  }

  @Test
  void aDeviceWithoutALineSaysSo() throws Exception {
    closeAll();
    var bell = new Bell(2);
    bell.config().set(0x3d, 1, 0);
    device = open("x86-6.12", HostOptions.defaults(), bell);
    assertThatExceptionOfType(VfioException.class)
        .isThrownBy(() -> device.interrupts().enableIntx())
        .withMessageContaining("no interrupt line");
  }

  @Test
  void nothingIsLeftWhenADeviceIsClosedWithEverythingInUse() {
    var vectors = device.interrupts().enableMsix(8);
    vectors.vector(3).handle(_ -> {});
    device.interrupts().deviceError().handle(_ -> {});
    device.interrupts().releaseRequest();
    assertThat(host.resources().interrupts()).isEqualTo(10);
    device.close();
    assertThat(host.resources().openFiles()).isZero();
    assertThat(host.resources().interrupts()).isZero();
  }
}
