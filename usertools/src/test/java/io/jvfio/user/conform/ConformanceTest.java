// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.edu.EduModel;
import io.jvfio.model.gpio.GpioModel;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.testkit.LatchModel;
import io.jvfio.user.VfioUserServer;
import io.jvfio.user.conform.ConformanceResult.Outcome;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.tools.LyingServer;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Payload;
import io.jvfio.user.wire.RegionAccess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(value = 300, unit = TimeUnit.SECONDS)
class ConformanceTest {
  private static final ConformanceOptions OPTIONS =
      ConformanceOptions.defaults().withPatience(Duration.ofSeconds(30));

  /** For servers that are silent on purpose. */
  private static final Duration SHORT = Duration.ofMillis(400);

  private final Path path;
  private final Path lying;

  ConformanceTest(@TempDir Path directory) {
    this.path = directory.resolve("server");
    this.lying = directory.resolve("liar");
  }

  private static String failures(ConformanceReport report) {
    var text = new StringBuilder();
    for (var result : report.results()) {
      if (result.outcome() == Outcome.FAILED) {
        text.append(result).append('\n');
      }
    }
    return text.toString();
  }

  private ConformanceReport conform(DeviceModel model, ConformanceOptions options) {
    try (model;
        var _ = VfioUserServer.serve(model, path)) {
      return Conformance.of(path, options).run(_ -> {});
    }
  }

  static List<Arguments> models() {
    Supplier<DeviceModel> edu = EduModel::new;
    Supplier<DeviceModel> gpio = GpioModel::new;
    Supplier<DeviceModel> latch = LatchModel::new;
    Supplier<DeviceModel> nvme = () -> NvmeModel.inMemory("1", 1 << 20);
    return List.of(
        Arguments.of("edu", edu),
        Arguments.of("gpio", gpio),
        Arguments.of("latch", latch),
        Arguments.of("nvme", nvme));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("models")
  void findsNothingWrongWithOurServer(String name, Supplier<DeviceModel> model) {
    var seen = new ArrayList<ConformanceResult>();
    try (var served = model.get();
        var _ = VfioUserServer.serve(served, path)) {
      var report = Conformance.of(path, OPTIONS.withBarWrites()).run(seen::add);
      assertThat(failures(report)).isEmpty();
      assertThat(report.isConformant()).isTrue();
      assertThat(report.results())
          .filteredOn(result -> result.outcome() == Outcome.DIFFERS)
          .extracting(ConformanceResult::check)
          .isSubsetOf("irq-bool-long", "version-capabilities-subset");
      assertThat(report.version()).isEqualTo("0.1");
      assertThat(report.capabilities()).contains("max_msg_fds");
      assertThat(seen).isEqualTo(report.results());
      assertThat(report.results().stream().map(ConformanceResult::check))
          .containsExactlyElementsOf(Conformance.checkNames());
    }
  }

  @Test
  void looksAtEverythingThatSomeDeviceHas() {
    Set<String> passed = new HashSet<>();
    for (var model : models()) {
      @SuppressWarnings("unchecked")
      var supplier = (Supplier<DeviceModel>) Objects.requireNonNull(model.get()[1]);
      conform(supplier.get(), OPTIONS.withBarWrites()).results().stream()
          .filter(result -> result.outcome() == Outcome.PASSED)
          .forEach(result -> passed.add(result.check()));
    }
    assertThat(passed)
        .contains(
            "irq-range",
            "irq-range-bool",
            "irq-deassign-one",
            "irq-too-few-descriptors",
            "config-write-multi",
            "region-write-bars",
            "migration-copy",
            "migration-state-error",
            "logging",
            "logging-not-started",
            "logging-unmap",
            "logging-forgotten",
            "migration-data-short",
            "migration-write-large",
            "feature-set-argsz",
            "dma-unmap-argsz-small",
            "config-msi-control",
            "config-msix-control",
            "config-capability-headers",
            "irq-error-request-range",
            "version-twin-asked",
            "reset-keeps-connection");
  }

  @Test
  void hasManyChecksWithNamesOfTheirOwn() {
    assertThat(Conformance.checkNames()).hasSizeGreaterThanOrEqualTo(190).doesNotHaveDuplicates();
    assertThat(Conformance.checkNames())
        .allSatisfy(name -> assertThat(name).matches("[a-z]+(-[a-z0-9]+)*"));
  }

  @Test
  void makesTheChecksThatAreWanted() {
    var report = conform(new GpioModel(), OPTIONS.withOnly(Set.of("dma-unmap", "version-once")));
    assertThat(report.results().stream().map(ConformanceResult::check))
        .contains("version-once", "dma-unmap", "dma-unmap-all")
        .hasSize(
            (int)
                Conformance.checkNames().stream()
                    .filter(name -> name.startsWith("dma-unmap") || name.equals("version-once"))
                    .count());
  }

  @Test
  void leavesNoDescriptorOpenAndTheDeviceAsItWas() throws Exception {
    try (var model = new LatchModel();
        var _ = VfioUserServer.serve(model, path)) {
      Conformance.of(path, OPTIONS.withOnly(Set.of("irq", "dma", "config"))).run(_ -> {});
      byte[] before;
      try (var client =
          new ConformanceRun(LinuxKernel.instance(), path.toString(), OPTIONS).open()) {
        before = config(client);
      }
      long open = openFiles();
      Conformance.of(path, OPTIONS).run(_ -> {});
      // The server notices a little later that its last client is gone.
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (openFiles() > open && System.nanoTime() < end) {
        Thread.sleep(10);
      }
      assertThat(openFiles()).isLessThanOrEqualTo(open);
      try (var client =
          new ConformanceRun(LinuxKernel.instance(), path.toString(), OPTIONS).open()) {
        assertThat(config(client)).isEqualTo(before);
      }
    }
  }

  private static byte[] config(WirePeer client) {
    var access = Payload.access(0, Vfio.VFIO_PCI_CONFIG_REGION_INDEX, 256);
    var reply = client.call(Command.REGION_READ, access);
    assertThat(reply.isError()).isFalse();
    return reply.from(RegionAccess.BYTES);
  }

  private static long openFiles() throws Exception {
    try (var files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }

  @Test
  void saysThatThereIsNoServer() {
    var none = Conformance.of(path, OPTIONS.withPatience(Duration.ofMillis(50)));
    assertThatThrownBy(() -> none.run(_ -> {}))
        .isInstanceOf(VfioException.class)
        .hasMessageContaining("is not there (ENOENT)")
        .hasMessageContaining("Start a server");
  }

  /** A reply with other bytes at a place. */
  private static List<byte[]> with(byte[] reply, int offset, int value) {
    var copy = reply.clone();
    if (offset + Integer.BYTES <= copy.length) {
      ByteBuffer.wrap(copy).order(ByteOrder.nativeOrder()).putInt(offset, value);
    }
    return List.of(copy);
  }

  private static byte[] reply(byte[] command, int flags, int errno, byte... payload) {
    var reply = ByteBuffer.allocate(16 + payload.length).order(ByteOrder.nativeOrder());
    reply.put(command, 0, 4).putInt(16 + payload.length).putInt(flags).putInt(errno).put(payload);
    return reply.array();
  }

  /** What a check says of a server that lies. */
  private static Arguments lie(String check, String came, LyingServer.Lie lie) {
    return lieOf(LatchModel::new, check, came, lie);
  }

  private static Arguments lieOf(
      Supplier<DeviceModel> model, String check, String came, LyingServer.Lie lie) {
    return Arguments.of(check, came, Outcome.FAILED, model, lie);
  }

  /** What a check says of a server that does what others do not, and may. */
  private static Arguments oddity(String check, String came, LyingServer.Lie lie) {
    return Arguments.of(check, came, Outcome.DIFFERS, (Supplier<DeviceModel>) LatchModel::new, lie);
  }

  private static boolean is(byte[] command, Command which) {
    return LyingServer.command(command) == which.number();
  }

  private static int word(byte[] message, int offset) {
    return message.length < offset + 4
        ? 0
        : ByteBuffer.wrap(message).order(ByteOrder.nativeOrder()).getInt(offset);
  }

  /** Errors become success, for one command. */
  private static LyingServer.Lie content(Command which) {
    return (command, reply) ->
        is(command, which) && LyingServer.isError(reply)
            ? List.of(reply(command, 1, 0))
            : List.of(reply);
  }

  static List<Arguments> lies() {
    return List.of(
        lie(
            "version-answered",
            "version 0.9",
            (command, reply) ->
                is(command, Command.VERSION) ? with(reply, 16, 9 << 16) : List.of(reply)),
        lie(
            "version-answered",
            "capabilities without a NUL at their end",
            (command, reply) ->
                is(command, Command.VERSION)
                    ? with(Arrays.copyOf(reply, reply.length - 1), 4, reply.length - 1)
                    : List.of(reply)),
        lie("version-short", "success", content(Command.VERSION)),
        lie("version-first", "success", content(Command.DEVICE_GET_INFO)),
        lie(
            "header-echo",
            "answered #8001 where it was asked #8000",
            (command, reply) ->
                is(command, Command.DEVICE_GET_INFO) && command[1] == (byte) 0x80
                    ? List.of(withId(reply, 0x8001))
                    : List.of(reply)),
        lie(
            "header-error-size",
            "EINVAL with a payload of 4 bytes and flags 0x21",
            (command, reply) ->
                LyingServer.isError(reply)
                    ? List.of(reply(command, 0x21, 22, new byte[4]))
                    : List.of(reply)),
        lie(
            "header-no-reply",
            "silence, and then it answered #004d where it was asked #0002",
            (command, reply) -> reply.length == 0 ? List.of(reply(command, 1, 0)) : List.of(reply)),
        lie(
            "header-unknown-14",
            "success to command 14",
            (command, reply) ->
                LyingServer.command(command) == 14
                    ? List.of(reply(command, 1, 0))
                    : List.of(reply)),
        lie("header-short-payload", "success of DEVICE_GET_INFO", content(Command.DEVICE_GET_INFO)),
        lie(
            "device-info",
            "flags RESET, 9 regions",
            (command, reply) ->
                is(command, Command.DEVICE_GET_INFO) ? with(reply, 20, 1) : List.of(reply)),
        lie(
            "region-info-all",
            "BAR3: index 4",
            (command, reply) ->
                is(command, Command.DEVICE_GET_REGION_INFO) && word(command, 24) == 3
                    ? with(reply, 24, 4)
                    : List.of(reply)),
        lie(
            "region-info-capabilities",
            "BAR0: a capability at offset 32",
            (command, reply) ->
                is(command, Command.DEVICE_GET_REGION_INFO) && word(command, 24) == 0
                    ? List.of(circle(command))
                    : List.of(reply)),
        lie(
            "region-info-mmap",
            "BAR0: no descriptor",
            (command, reply) ->
                is(command, Command.DEVICE_GET_REGION_INFO) && word(command, 24) == 0
                    ? with(reply, 20, 7)
                    : List.of(reply)),
        lie("region-read-past-end", "success", content(Command.REGION_READ)),
        lie("region-write-long", "success", content(Command.REGION_WRITE)),
        lie(
            "region-read",
            "a read of 2 bytes at 0x0 answered as offset 0x0 of config, 1 byte",
            (command, reply) ->
                is(command, Command.REGION_READ) && word(command, 28) == 2
                    ? with(reply, 28, 1)
                    : List.of(reply)),
        lie(
            "config-order",
            "0x00 after writes of 0x01 to 0x20",
            (command, reply) ->
                is(command, Command.REGION_READ) && reply.length == 33 && reply[32] == 32
                    ? with(Arrays.copyOf(reply, 36), 32, 0).stream()
                        .map(each -> Arrays.copyOf(each, 33))
                        .toList()
                    : List.of(reply)),
        lie("irq-count-beyond", "success", content(Command.DEVICE_SET_IRQS)),
        lie("dma-map-twice", "success", content(Command.DMA_MAP)),
        lie(
            "dma-map-overlap",
            "EINVAL",
            (command, reply) ->
                LyingServer.isError(reply) ? List.of(reply(command, 0x21, 22)) : List.of(reply)),
        lie("dma-unmap-part", "success", content(Command.DMA_UNMAP)),
        lie(
            "dma-unmap-more",
            "ENOENT",
            (command, reply) ->
                LyingServer.isError(reply) || !is(command, Command.DMA_UNMAP)
                    ? List.of(reply)
                    : List.of(reply(command, 0x21, 2))),
        lie(
            "feature-probe",
            "MIGRATION",
            (command, reply) ->
                is(command, Command.DEVICE_FEATURE) && word(command, 20) == 0x50001
                    ? with(reply, 16, 99)
                    : List.of(reply)),
        lie(
            "migration-state",
            "STOP",
            (command, reply) ->
                is(command, Command.DEVICE_FEATURE) && word(command, 20) == 0x10002
                    ? with(reply, 24, 1)
                    : List.of(reply)),
        lie("migration-read-outside", "success", content(Command.MIG_DATA_READ)),
        lie("migration-stop-copy-to-pre-copy", "success", content(Command.DEVICE_FEATURE)),
        lie(
            "reset",
            "closed the connection",
            (command, reply) -> is(command, Command.DEVICE_RESET) ? null : List.of(reply)));
  }

  private static final int LOGGING_REPORT = 0x10000 | 8;

  /** Another answer to reports of what was written. */
  private static LyingServer.Lie report(Function<byte[], List<byte[]>> answer) {
    return (command, reply) ->
        is(command, Command.DEVICE_FEATURE) && word(command, 20) == LOGGING_REPORT
            ? answer.apply(command)
            : List.of(reply);
  }

  private static LyingServer.Lie hangUp(Command which, int offset, int value) {
    return (command, reply) ->
        is(command, which) && word(command, offset) == value ? null : List.of(reply);
  }

  /** A configuration space of which something changes that should not, once it was written. */
  private static LyingServer.Lie changed() {
    var isWritten = new AtomicBoolean();
    return (command, reply) -> {
      int offset = word(command, 16);
      boolean isCapability = word(command, 24) == 7 && offset >= 0x40 && word(command, 28) == 2;
      if (is(command, Command.REGION_WRITE) && isCapability) {
        isWritten.set(true);
      }
      return is(command, Command.REGION_READ) && isCapability && isWritten.get()
          ? with(Arrays.copyOf(reply, 36), 32, reply[32] ^ 0x0e).stream()
              .map(each -> Arrays.copyOf(each, 34))
              .toList()
          : List.of(reply);
    };
  }

  /** A server that says of itself that it keeps no more than 3 ranges, and keeps more. */
  private static List<byte[]> threeMaps(byte[] command, byte[] reply) {
    if (!is(command, Command.VERSION)) {
      return List.of(reply);
    }
    var text = new String(reply, StandardCharsets.ISO_8859_1);
    return List.of(
        text.replace("\"max_dma_maps\":65535", "\"max_dma_maps\":3    ")
            .getBytes(StandardCharsets.ISO_8859_1));
  }

  /** A region that is said to have one part, and has none when it is asked for. */
  private static List<byte[]> onePart(byte[] command, byte[] reply) {
    return is(command, Command.DEVICE_GET_REGION_IO_FDS) && word(command, 16) == 16
        ? with(with(reply, 16, 64).getFirst(), 28, 1)
        : List.of(reply);
  }

  /** What is wrong in the same way as what clients of libvfio-user's tests are to find. */
  static List<Arguments> moreLies() {
    return List.of(
        oddity("version-capabilities-no-object", "success", content(Command.VERSION)),
        oddity("version-number-negative", "success", content(Command.VERSION)),
        lie(
            "version-first-unknown",
            "success",
            (command, reply) ->
                LyingServer.command(command) == 999
                    ? List.of(reply(command, 1, 0))
                    : List.of(reply)),
        lie("header-cut-payload", "success of DEVICE_GET_INFO", content(Command.DEVICE_GET_INFO)),
        lie(
            "region-info-empty",
            "BAR3: flags 0x4",
            (command, reply) ->
                is(command, Command.DEVICE_GET_REGION_INFO) && word(command, 24) == 3
                    ? with(reply, 20, 4)
                    : List.of(reply)),
        lie(
            "region-info-argsz-large",
            "argsz 999 with 32 bytes",
            (command, reply) ->
                is(command, Command.DEVICE_GET_REGION_INFO)
                    ? with(reply, 16, 999)
                    : List.of(reply)),
        lie(
            "region-info-argsz-retry",
            "BAR0: a capability at offset 32 of 32 bytes",
            (command, reply) ->
                is(command, Command.DEVICE_GET_REGION_INFO) && word(command, 24) == 0
                    ? with(with(reply, 16, 64).getFirst(), 28, 32)
                    : List.of(reply)),
        lie(
            "irq-info-argsz-large",
            "argsz 12 with 16 bytes",
            (command, reply) ->
                is(command, Command.DEVICE_GET_IRQ_INFO) ? with(reply, 16, 12) : List.of(reply)),
        lie(
            "region-io-fds",
            "BAR0: flags 0x0, index 1",
            (command, reply) ->
                is(command, Command.DEVICE_GET_REGION_IO_FDS)
                    ? with(reply, 24, 1)
                    : List.of(reply)),
        oddity("region-io-fds-absent", "success", content(Command.DEVICE_GET_REGION_IO_FDS)),
        lie(
            "region-io-fds-argsz-small",
            "16 bytes for an argsz of 15",
            (command, reply) ->
                is(command, Command.DEVICE_GET_REGION_IO_FDS)
                    ? List.of(reply(command, 1, 0, new byte[16]))
                    : List.of(reply)),
        lie(
            "region-io-fds-argsz-large",
            "closed the connection",
            hangUp(Command.DEVICE_GET_REGION_IO_FDS, 16, -1)),
        lie("region-io-fds-argsz-retry", "argsz 64, then 16", ConformanceTest::onePart),
        oddity("region-read-client-limit", "success", content(Command.REGION_READ)),
        lie(
            "region-write-zero",
            "count 5",
            (command, reply) ->
                is(command, Command.REGION_WRITE) ? with(reply, 28, 5) : List.of(reply)),
        lieOf(EduModel::new, "config-capability-headers", "at 0x40 became", changed()),
        lieOf(EduModel::new, "config-msi-control", "and 0x0080 before", changed()),
        lieOf(() -> NvmeModel.inMemory("1", 1 << 20), "config-msix-control", "was due", changed()),
        oddity("irq-count-zero", "success", content(Command.DEVICE_SET_IRQS)),
        lie("irq-error-request-range", "success", content(Command.DEVICE_SET_IRQS)),
        oddity("irq-error-request-mask", "success", content(Command.DEVICE_SET_IRQS)),
        oddity("dma-map-limit", "success", ConformanceTest::threeMaps),
        lie("dma-map-huge", "closed the connection", hangUp(Command.DMA_MAP, 44, 1 << 30)),
        oddity("dma-unmap-all-address", "success", content(Command.DMA_UNMAP)),
        oddity("dma-unmap-all-dirty", "success", content(Command.DMA_UNMAP)),
        oddity("dma-unmap-dirty-unlogged", "success", content(Command.DMA_UNMAP)),
        oddity("dma-unmap-dirty-wrapped", "success", content(Command.DMA_UNMAP)),
        oddity("dma-unmap-flags", "success", content(Command.DMA_UNMAP)),
        lie(
            "dma-unmap-argsz-small",
            "success with 24 bytes for an argsz of 8",
            (command, reply) ->
                is(command, Command.DMA_UNMAP)
                    ? List.of(reply(command, 1, 0, new byte[24]))
                    : List.of(reply)),
        lie(
            "dma-unmap-argsz-large",
            "closed the connection",
            hangUp(Command.DMA_UNMAP, 16, Integer.MAX_VALUE)),
        oddity("feature-probe-argsz", "success", content(Command.DEVICE_FEATURE)),
        lie("feature-unsupported", "success", content(Command.DEVICE_FEATURE)),
        lie(
            "feature-set-argsz",
            "EINVAL, and STOP",
            (command, reply) ->
                is(command, Command.DEVICE_FEATURE) && word(command, 20) == 0x10002
                    ? with(reply, 24, 1)
                    : List.of(reply)),
        lie("migration-read-states", "success", content(Command.MIG_DATA_READ)),
        oddity("migration-read-large", "success", content(Command.MIG_DATA_READ)),
        lie("migration-write-large", "success", content(Command.MIG_DATA_WRITE)),
        lie("migration-data-short", "success", content(Command.MIG_DATA_WRITE)),
        oddity("logging-page-size", "success", content(Command.DEVICE_FEATURE)),
        lie(
            "logging-twice",
            "DEVICE_FEATURE: EIO",
            report(command -> List.of(reply(command, 0x21, 5)))),
        lie(
            "logging-report-unknown",
            "3 pages where no memory is",
            report(command -> with(reply(command, 1, 0, new byte[48]), 48, 7))),
        lie(
            "logging-argsz-small",
            "success with 48 bytes for an argsz of 47",
            report(command -> List.of(reply(command, 1, 0, new byte[48])))),
        lie(
            "logging-unmap",
            "DEVICE_FEATURE: EIO",
            report(command -> List.of(reply(command, 0x21, 5)))),
        oddity("logging-forgotten", "success", content(Command.DEVICE_FEATURE)),
        oddity(
            "header-payload-pieces",
            "EINVAL",
            (command, reply) ->
                is(command, Command.DEVICE_GET_INFO)
                    ? List.of(reply(command, 0x21, 22))
                    : List.of(reply)));
  }

  private static byte[] withId(byte[] message, int id) {
    var copy = message.clone();
    ByteBuffer.wrap(copy).order(ByteOrder.nativeOrder()).putShort(0, (short) id);
    return copy;
  }

  /** A region whose only capability is followed by itself. */
  private static byte[] circle(byte[] command) {
    var payload = ByteBuffer.allocate(40).order(ByteOrder.nativeOrder());
    payload.putInt(40).putInt(8).putInt(0).putInt(32).putLong(4096).putLong(0);
    payload.putShort((short) 3).putShort((short) 1).putInt(32);
    return reply(command, 1, 0, payload.array());
  }

  @ParameterizedTest(name = "{0}: {1}")
  @MethodSource({"lies", "moreLies"})
  void findsWhatIsWrong(
      String check, String came, Outcome outcome, Supplier<DeviceModel> lied, LyingServer.Lie lie)
      throws Exception {
    try (var model = lied.get();
        var _ = VfioUserServer.serve(model, path);
        var _ = new LyingServer(lying, path, lie)) {
      var report =
          Conformance.of(lying, OPTIONS.withOnly(Set.of(check)).withPatience(SHORT.multipliedBy(5)))
              .run(_ -> {});
      assertThat(report.results())
          .filteredOn(result -> result.check().equals(check))
          .singleElement()
          .satisfies(
              result -> {
                assertThat(result.outcome()).as(result.came()).isEqualTo(outcome);
                assertThat(result.came()).contains(came);
              });
      assertThat(report.isConformant()).isEqualTo(outcome == Outcome.DIFFERS);
    }
  }

  @Test
  void findsInterruptsThatAreSignalledOutsideOfARange() throws Exception {
    try (var model = NvmeModel.inMemory("1", 1 << 20);
        var _ = VfioUserServer.serve(model, path);
        var _ = new LyingServer(lying, path, wide())) {
      var report = Conformance.of(lying, OPTIONS.withOnly(Set.of("irq-range"))).run(_ -> {});
      assertThat(report.results().getFirst().came())
          .isEqualTo("signals [1, 1, 1, 0] where [0, 1, 1, 0] were due");
    }
  }

  /** A server that begins at 0 whatever it is told, as one is known to. */
  private static LyingServer.Lie wide() {
    return new LyingServer.Lie() {
      @Override
      public byte[] hear(byte[] command) {
        boolean isTrigger = is(command, Command.DEVICE_SET_IRQS) && word(command, 20) == 0x21;
        if (!isTrigger || word(command, 28) != 1) {
          return command;
        }
        return with(with(command, 28, 0).getFirst(), 32, 3).getFirst();
      }

      @Override
      public List<byte[]> tell(byte[] command, byte[] reply) {
        return List.of(reply);
      }
    };
  }

  @Test
  void waitsForAServerThatEndedAndSaysSo() throws Exception {
    try (var model = new GpioModel();
        var _ = VfioUserServer.serve(model, path);
        var _ =
            new LyingServer(
                lying,
                path,
                (command, reply) -> {
                  if (is(command, Command.DEVICE_RESET)) {
                    throw new LyingServer.End(300);
                  }
                  return List.of(reply);
                })) {
      var report =
          Conformance.of(lying, OPTIONS.withOnly(Set.of("reset", "feature-unknown"))).run(_ -> {});
      assertThat(report.results().getFirst().outcome()).isEqualTo(Outcome.FAILED);
      assertThat(report.results().getFirst().came())
          .isEqualTo("closed the connection, and the server ended and was started again");
      assertThat(report.results().getLast().outcome()).isEqualTo(Outcome.PASSED);
    }
  }

  @Test
  void doesNotMindAServerThatEndsWithEachClient() throws Exception {
    var lie =
        new LyingServer.Lie() {
          @Override
          public boolean endsWithClients() {
            return true;
          }

          @Override
          public List<byte[]> tell(byte[] command, byte[] reply) {
            return List.of(reply);
          }
        };
    try (var model = new GpioModel();
        var _ = VfioUserServer.serve(model, path);
        var _ = new LyingServer(lying, path, lie)) {
      var report =
          Conformance.of(lying, OPTIONS.withOnly(Set.of("dma-map", "irq-replace"))).run(_ -> {});
      assertThat(failures(report)).isEmpty();
      assertThat(report.endsWithClients()).isTrue();
      assertThat(report.count(Outcome.DIFFERS)).isZero();
    }
  }

  @Test
  void leavesOutTheRestOnceTheServerIsGone() throws Exception {
    try (var model = new GpioModel();
        var _ = VfioUserServer.serve(model, path);
        var _ =
            new LyingServer(
                lying,
                path,
                (command, reply) -> {
                  if (is(command, Command.DEVICE_RESET)) {
                    throw new LyingServer.End(-1);
                  }
                  return List.of(reply);
                })) {
      var report =
          Conformance.of(lying, OPTIONS.withOnly(Set.of("reset", "feature")).withPatience(SHORT))
              .run(_ -> {});
      assertThat(report.results().getFirst().came())
          .isEqualTo("closed the connection, and the server ended, and is not there again");
      assertThat(report.results().subList(1, report.results().size()))
          .allSatisfy(
              result -> {
                assertThat(result.outcome()).isEqualTo(Outcome.SKIPPED);
                assertThat(result.came()).isEqualTo("the server is not there any more");
              });
    }
  }

  @Test
  void endsWhenAServerIsSilent() throws Exception {
    try (var model = new GpioModel();
        var _ = VfioUserServer.serve(model, path);
        var _ = new LyingServer(lying, path, (_, _) -> List.of())) {
      var report =
          Conformance.of(lying, OPTIONS.withOnly(Set.of("version-answered")).withPatience(SHORT))
              .run(_ -> {});
      assertThat(report.version()).isEmpty();
      assertThat(report.results().getFirst().came())
          .isEqualTo("did not answer within 400 ms, and then no connection is answered any more");
    }
  }

  @Test
  void tellsOfAServerThatTakesNobodyInsteadOfWaitingForIt() throws ErrnoException {
    var waiting = new ArrayList<UnixSocket>();
    try (var _ = UnixSocket.listen(LinuxKernel.instance(), lying.toString(), 0600)) {
      try {
        while (true) {
          waiting.add(UnixSocket.connect(LinuxKernel.instance(), lying.toString(), 50));
        }
      } catch (ErrnoException e) {
        assertThat(e.errno()).isEqualTo(Errno.EAGAIN); // the queue is full
      }
      var report = Conformance.of(lying, OPTIONS.withPatience(SHORT)).run(_ -> {});
      assertThat(report.results().getFirst().outcome()).isEqualTo(Outcome.FAILED);
      assertThat(report.results().getFirst().came())
          .isEqualTo(
              "takes no connection, though it listens, and then no connection is taken any more");
      assertThat(report.results().stream().skip(1).map(ConformanceResult::outcome))
          .containsOnly(Outcome.SKIPPED);
    } finally {
      waiting.forEach(UnixSocket::close);
    }
  }
}
